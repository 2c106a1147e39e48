# Reapit lead imports (reapit-lead-imports): keep the app to its mailboxes.
# Needs the module ExchangeOnlineManagement and the role Exchange Administrator. May be run again.
$ErrorActionPreference = 'Stop'
if (-not (Get-ConnectionInformation)) { Connect-ExchangeOnline -ShowBanner:$false }
$AppId = '2b61e0f4-0000-4000-8000-00000000c0de'
$Group = 'reapit-mailboxes@contoso.example'
$Allowed = @('leads@contoso.example')

# The mail-enabled security group of exactly these mailboxes, hidden from address lists.
$GroupName = 'everkey reapit-lead-imports'
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

# The access policy. Microsoft advises RBAC for Applications for new apps; the vendor's guide asks for this.
$Description = 'everkey: Reapit lead imports only reaches its mailboxes'
$Existing = @(Get-ApplicationAccessPolicy | Where-Object { $_.AppId -eq $AppId -and $_.AccessRight -eq 'RestrictAccess' })
if ($Existing.Count -eq 0) {
    New-ApplicationAccessPolicy -AppId $AppId -PolicyScopeGroupId $Group -AccessRight RestrictAccess -Description $Description | Out-Null
}

# The test. Granted for each allowed mailbox; mail itself may take an hour or more to follow.
$script:Failed = $false
function Assert-Access([string]$Address, [string]$Wanted, $Found) {
    if ((@($Found | ForEach-Object { "$_" } | Select-Object -Unique) -join ',') -eq $Wanted) { Write-Output "ok    $Address $Wanted" }
    else { Write-Warning "$Address should be $Wanted, is $Found"; $script:Failed = $true }
}
foreach ($Address in $Allowed) {
    Assert-Access $Address 'Granted' (Test-ApplicationAccessPolicy -Identity $Address -AppId $AppId).AccessCheckResult
}
$Denied = 'platform@contoso.example'
Assert-Access $Denied 'Denied' (Test-ApplicationAccessPolicy -Identity $Denied -AppId $AppId).AccessCheckResult
if ($script:Failed) { exit 1 }
