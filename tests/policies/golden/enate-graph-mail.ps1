# Enate e-mail cases (enate-graph-mail): keep the app to its mailboxes.
# Needs the module ExchangeOnlineManagement and the role Exchange Administrator. May be run again.
$ErrorActionPreference = 'Stop'
if (-not (Get-ConnectionInformation)) { Connect-ExchangeOnline -ShowBanner:$false }
$AppId = '2b61e0f4-0000-4000-8000-00000000c0de'
$Group = 'enate-mailboxes@contoso.example'
$Allowed = @('cases@contoso.example')

# Shared mailboxes, where they are missing.
foreach ($Address in $Allowed) {
    if (-not (Get-Mailbox -Identity $Address -ErrorAction SilentlyContinue)) {
        New-Mailbox -Shared -Name $Address.Split('@')[0] -PrimarySmtpAddress $Address | Out-Null
    }
}

# Full Access and Send As for the service users; granting again changes nothing.
$Delegates = @('enate.service@contoso.example')
foreach ($Address in $Allowed) {
    foreach ($User in $Delegates) {
        Add-MailboxPermission -Identity $Address -User $User -AccessRights FullAccess -AutoMapping $false | Out-Null
        Add-RecipientPermission -Identity $Address -Trustee $User -AccessRights SendAs -Confirm:$false | Out-Null
    }
}

# The mail-enabled security group of exactly these mailboxes, hidden from address lists.
$GroupName = 'everkey enate-graph-mail'
if (-not (Get-DistributionGroup -Identity $Group -ErrorAction SilentlyContinue)) {
    New-DistributionGroup -Type Security -Name $GroupName -PrimarySmtpAddress $Group | Out-Null
}
Set-DistributionGroup -Identity $Group -HiddenFromAddressListsEnabled $true
$Members = @(Get-DistributionGroupMember -Identity $Group -ResultSize Unlimited | ForEach-Object { $_.PrimarySmtpAddress })
foreach ($Address in $Allowed) {
    if ($Members -notcontains $Address) { Add-DistributionGroupMember -Identity $Group -Member $Address }
}
foreach ($Address in $Members) {
    if ($Allowed -notcontains $Address) { Write-Warning "$Address is in the group but not in the policy; remove it by hand" }
}

# The app as Exchange knows it: the object id of the ENTERPRISE application.
$PrincipalId = '51c0aa10-0000-4000-8000-0000000000ab'
$PrincipalName = 'everkey enate-graph-mail'
if (-not (Get-ServicePrincipal -Identity $PrincipalId -ErrorAction SilentlyContinue)) {
    New-ServicePrincipal -AppId $AppId -ObjectId $PrincipalId -DisplayName $PrincipalName | Out-Null
}

# The scope: members of the group.
$Scope = 'everkey-enate-graph-mail'
$GroupDn = (Get-DistributionGroup -Identity $Group).DistinguishedName.Replace("'", "''")
$Filter = "MemberOfGroup -eq '$GroupDn'"
if (Get-ManagementScope -Identity $Scope -ErrorAction SilentlyContinue) {
    Set-ManagementScope -Identity $Scope -RecipientRestrictionFilter $Filter
} else {
    New-ManagementScope -Name $Scope -RecipientRestrictionFilter $Filter | Out-Null
}

# What it may do there. Entra must not grant the same: the two add up.
$Permissions = @('Mail.ReadWrite', 'Mail.Send')
foreach ($Permission in $Permissions) {
    $Assignment = "$Scope-$Permission"
    if (-not (Get-ManagementRoleAssignment -Identity $Assignment -ErrorAction SilentlyContinue)) {
        New-ManagementRoleAssignment -Name $Assignment -Role "Application $Permission" -App $PrincipalId -CustomResourceScope $Scope | Out-Null
    }
}

# The test. Exchange may cache the answer for up to two hours for the app itself.
$script:Failed = $false
function Assert-Access([string]$Address, [string]$Wanted, $Found) {
    if ((@($Found | ForEach-Object { "$_" } | Select-Object -Unique) -join ',') -eq $Wanted) { Write-Output "ok    $Address $Wanted" }
    else { Write-Warning "$Address should be $Wanted, is $Found"; $script:Failed = $true }
}
$Denied = 'platform@contoso.example'
foreach ($Permission in $Permissions) {
    foreach ($Address in $Allowed) {
        Assert-Access $Address 'True' (Test-ServicePrincipalAuthorization -Identity $PrincipalId -Resource $Address | Where-Object RoleName -eq "Application $Permission").InScope
    }
    Assert-Access $Denied 'False' (Test-ServicePrincipalAuthorization -Identity $PrincipalId -Resource $Denied | Where-Object RoleName -eq "Application $Permission").InScope
}
if ($script:Failed) { exit 1 }
