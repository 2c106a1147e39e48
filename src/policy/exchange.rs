//! The Exchange Online PowerShell script that keeps an app to its mailboxes. everkey writes it, a person with
//! the Exchange Administrator role runs it; it may be run again safely. Cmdlets: `entra-contract.md` 7.3.
//!
//! Every value stands in single quotes with quotes doubled, in which PowerShell expands nothing; the only other
//! text from outside are comments, from which line breaks are removed.

use crate::model::ClientId;
use crate::model::ObjectId;

use super::MailboxMethod;
use super::Mailboxes;
use super::Policy;
use super::read::short_name;

/// The script; `None` when the policy limits no mailboxes. `principal` is the object id of the enterprise
/// application (service principal), not of the app registration.
pub fn script(policy: &Policy, client: &ClientId, principal: &ObjectId) -> Option<String> {
    let mailboxes = policy.mailboxes.as_ref()?;
    let mut script = Script::default();
    script.comment(&format!("{} ({}): keep the app to its mailboxes.", policy.title, policy.name));
    script.comment("Needs the module ExchangeOnlineManagement and the role Exchange Administrator. May be run again.");
    script.line("$ErrorActionPreference = 'Stop'");
    script.line("if (-not (Get-ConnectionInformation)) { Connect-ExchangeOnline -ShowBanner:$false }");
    script.set("AppId", client.as_str());
    script.set("Group", &mailboxes.group);
    script.list("Allowed", &mailboxes.allow);
    if mailboxes.create {
        script.shared_mailboxes();
    }
    if !mailboxes.delegates.is_empty() {
        script.delegates(&mailboxes.delegates);
    }
    script.group(policy);
    match mailboxes.method {
        MailboxMethod::AccessPolicy => script.access_policy(policy, mailboxes),
        MailboxMethod::Rbac => script.rbac(policy, mailboxes, principal),
    }
    Some(script.text)
}

#[derive(Default)]
struct Script {
    text: String,
}

impl Script {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn comment(&mut self, comment: &str) {
        let plain: String = comment.chars().map(|c| if c.is_control() || is_break(c) { ' ' } else { c }).collect();
        self.line(&format!("# {plain}"));
    }

    fn section(&mut self, comment: &str) {
        self.line("");
        self.comment(comment);
    }

    fn set(&mut self, name: &str, value: &str) {
        self.line(&format!("${name} = {}", quote(value)));
    }

    fn list(&mut self, name: &str, values: &[String]) {
        let quoted: Vec<String> = values.iter().map(|value| quote(value)).collect();
        self.line(&format!("${name} = @({})", quoted.join(", ")));
    }

    fn shared_mailboxes(&mut self) {
        self.section("Shared mailboxes, where they are missing.");
        self.line("foreach ($Address in $Allowed) {");
        self.line("    if (-not (Get-Mailbox -Identity $Address -ErrorAction SilentlyContinue)) {");
        self.line("        New-Mailbox -Shared -Name $Address.Split('@')[0] -PrimarySmtpAddress $Address | Out-Null");
        self.line("    }");
        self.line("}");
    }

    fn delegates(&mut self, delegates: &[String]) {
        self.section("Full Access and Send As for the service users; granting again changes nothing.");
        self.list("Delegates", delegates);
        self.line("foreach ($Address in $Allowed) {");
        self.line("    foreach ($User in $Delegates) {");
        self.line("        Add-MailboxPermission -Identity $Address -User $User -AccessRights FullAccess -AutoMapping $false | Out-Null");
        self.line("        Add-RecipientPermission -Identity $Address -Trustee $User -AccessRights SendAs -Confirm:$false | Out-Null");
        self.line("    }");
        self.line("}");
    }

    fn group(&mut self, policy: &Policy) {
        self.section("The mail-enabled security group of exactly these mailboxes, hidden from address lists.");
        self.set("GroupName", &format!("everkey {}", short_name(policy.name.as_str())));
        self.line("if (-not (Get-DistributionGroup -Identity $Group -ErrorAction SilentlyContinue)) {");
        self.line("    New-DistributionGroup -Type Security -Name $GroupName -PrimarySmtpAddress $Group | Out-Null");
        self.line("}");
        self.line("Set-DistributionGroup -Identity $Group -HiddenFromAddressListsEnabled $true");
        self.line("$Members = @(Get-DistributionGroupMember -Identity $Group -ResultSize Unlimited | ForEach-Object { $_.PrimarySmtpAddress })");
        self.line("foreach ($Address in $Allowed) {");
        self.line(
            "    if ($Members -notcontains $Address) { Add-DistributionGroupMember -Identity $Group -Member $Address }",
        );
        self.line("}");
        self.line("foreach ($Address in $Members) {");
        self.line("    if ($Allowed -notcontains $Address) { Write-Warning \"$Address is in the group but not in the policy; remove it by hand\" }");
        self.line("}");
    }

    /// The guide's way: the tenant-wide Entra grant stays and is cut down.
    fn access_policy(&mut self, policy: &Policy, mailboxes: &Mailboxes) {
        self.section("The access policy. Microsoft advises RBAC for Applications for new apps; the vendor's guide asks for this.");
        self.set("Description", &format!("everkey: {} only reaches its mailboxes", policy.title));
        self.line("$Existing = @(Get-ApplicationAccessPolicy | Where-Object { $_.AppId -eq $AppId -and $_.AccessRight -eq 'RestrictAccess' })");
        self.line("if ($Existing.Count -eq 0) {");
        self.line("    New-ApplicationAccessPolicy -AppId $AppId -PolicyScopeGroupId $Group -AccessRight RestrictAccess -Description $Description | Out-Null");
        self.line("}");
        self.section("The test. Granted for each allowed mailbox; mail itself may take an hour or more to follow.");
        self.expectation();
        self.line("foreach ($Address in $Allowed) {");
        self.line("    Assert-Access $Address 'Granted' (Test-ApplicationAccessPolicy -Identity $Address -AppId $AppId).AccessCheckResult");
        self.line("}");
        if let Some(denied) = &mailboxes.denied {
            self.set("Denied", denied);
            self.line("Assert-Access $Denied 'Denied' (Test-ApplicationAccessPolicy -Identity $Denied -AppId $AppId).AccessCheckResult");
        }
        self.line("if ($script:Failed) { exit 1 }");
    }

    /// Microsoft's advice: granted in Exchange, for the group's members only.
    fn rbac(&mut self, policy: &Policy, mailboxes: &Mailboxes, principal: &ObjectId) {
        self.section("The app as Exchange knows it: the object id of the ENTERPRISE application.");
        self.set("PrincipalId", principal.as_str());
        self.set("PrincipalName", &format!("everkey {}", short_name(policy.name.as_str())));
        self.line("if (-not (Get-ServicePrincipal -Identity $PrincipalId -ErrorAction SilentlyContinue)) {");
        self.line(
            "    New-ServicePrincipal -AppId $AppId -ObjectId $PrincipalId -DisplayName $PrincipalName | Out-Null",
        );
        self.line("}");
        self.section("The scope: members of the group.");
        self.set("Scope", &format!("everkey-{}", short_name(policy.name.as_str())));
        self.line("$GroupDn = (Get-DistributionGroup -Identity $Group).DistinguishedName.Replace(\"'\", \"''\")");
        self.line("$Filter = \"MemberOfGroup -eq '$GroupDn'\"");
        self.line("if (Get-ManagementScope -Identity $Scope -ErrorAction SilentlyContinue) {");
        self.line("    Set-ManagementScope -Identity $Scope -RecipientRestrictionFilter $Filter");
        self.line("} else {");
        self.line("    New-ManagementScope -Name $Scope -RecipientRestrictionFilter $Filter | Out-Null");
        self.line("}");
        self.section("What it may do there. Entra must not grant the same: the two add up.");
        self.list("Permissions", &mailboxes.permissions);
        self.line("foreach ($Permission in $Permissions) {");
        self.line("    $Assignment = \"$Scope-$Permission\"");
        self.line("    if (-not (Get-ManagementRoleAssignment -Identity $Assignment -ErrorAction SilentlyContinue)) {");
        self.line("        New-ManagementRoleAssignment -Name $Assignment -Role \"Application $Permission\" -App $PrincipalId -CustomResourceScope $Scope | Out-Null");
        self.line("    }");
        self.line("}");
        self.section("The test. Exchange may cache the answer for up to two hours for the app itself.");
        self.expectation();
        if let Some(denied) = &mailboxes.denied {
            self.set("Denied", denied);
        }
        self.line("foreach ($Permission in $Permissions) {");
        self.line("    foreach ($Address in $Allowed) {");
        self.line("        Assert-Access $Address 'True' (Test-ServicePrincipalAuthorization -Identity $PrincipalId -Resource $Address | Where-Object RoleName -eq \"Application $Permission\").InScope");
        self.line("    }");
        if mailboxes.denied.is_some() {
            self.line("    Assert-Access $Denied 'False' (Test-ServicePrincipalAuthorization -Identity $PrincipalId -Resource $Denied | Where-Object RoleName -eq \"Application $Permission\").InScope");
        }
        self.line("}");
        self.line("if ($script:Failed) { exit 1 }");
    }

    fn expectation(&mut self) {
        self.line("$script:Failed = $false");
        self.line("function Assert-Access([string]$Address, [string]$Wanted, $Found) {");
        self.line("    if ((@($Found | ForEach-Object { \"$_\" } | Select-Object -Unique) -join ',') -eq $Wanted) { Write-Output \"ok    $Address $Wanted\" }");
        self.line("    else { Write-Warning \"$Address should be $Wanted, is $Found\"; $script:Failed = $true }");
        self.line("}");
    }
}

/// A PowerShell string that expands nothing. PowerShell also takes the typographic quotes for single quotes,
/// so those are doubled like the plain one.
fn quote(value: &str) -> String {
    let mut quoted = String::from("'");
    for letter in value.chars().filter(|c| !c.is_control() && !is_break(*c)) {
        if matches!(letter, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            quoted.push(letter);
        }
        quoted.push(letter);
    }
    quoted.push('\'');
    quoted
}

/// Line breaks that are not control characters.
fn is_break(letter: char) -> bool {
    matches!(letter, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let (one, other) = ("a".repeat(63) + "1", "a".repeat(63) + "2");
        assert_eq!(short_name("enate-graph-mail"), "enate-graph-mail");
        assert_eq!(short_name(&one).len(), 30);
        assert_ne!(short_name(&one), short_name(&other));
    }

    #[test]
    fn nothing_breaks_out_of_a_quoted_value() {
        assert_eq!(quote("O'Neil"), "'O''Neil'");
        assert_eq!(quote("a’; Remove-Mailbox b"), "'a’’; Remove-Mailbox b'");
        assert_eq!(quote("$(Get-Date)`n"), "'$(Get-Date)`n'");
        assert_eq!(quote("a\r\nRemove-Mailbox b\u{2028}c"), "'aRemove-Mailbox bc'");
        let mut script = Script::default();
        script.comment("title\nRemove-Mailbox b");
        assert_eq!(script.text, "# title Remove-Mailbox b\n");
    }
}
