"""Walks through Graph with msgraph-sdk and prints what each step saw, never a secret or token.

usage: msgraph_sdk.py EMULATOR_JSON
"""

import asyncio
import base64
import datetime
import json
import sys
from uuid import UUID

from azure.identity import ClientSecretCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.applications.applications_request_builder import ApplicationsRequestBuilder
from msgraph.generated.applications.delta.delta_request_builder import DeltaRequestBuilder
from msgraph.generated.applications.item.add_key.add_key_post_request_body import AddKeyPostRequestBody
from msgraph.generated.applications.item.add_password.add_password_post_request_body import AddPasswordPostRequestBody
from msgraph.generated.applications.item.application_item_request_builder import ApplicationItemRequestBuilder
from msgraph.generated.applications.item.remove_key.remove_key_post_request_body import RemoveKeyPostRequestBody
from msgraph.generated.applications.item.remove_password.remove_password_post_request_body import (
    RemovePasswordPostRequestBody,
)
from msgraph.generated.models.app_credential_restriction_type import AppCredentialRestrictionType
from msgraph.generated.models.app_management_application_configuration import AppManagementApplicationConfiguration
from msgraph.generated.models.app_management_policy import AppManagementPolicy
from msgraph.generated.models.app_role_assignment import AppRoleAssignment
from msgraph.generated.models.application import Application
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.custom_app_management_configuration import CustomAppManagementConfiguration
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.internet_message_header import InternetMessageHeader
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.key_credential import KeyCredential
from msgraph.generated.models.message import Message
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.password_credential import PasswordCredential
from msgraph.generated.models.password_credential_configuration import PasswordCredentialConfiguration
from msgraph.generated.models.recipient import Recipient
from msgraph.generated.models.reference_create import ReferenceCreate
from msgraph.generated.models.service_principal import ServicePrincipal
from msgraph.generated.models.tenant_app_management_policy import TenantAppManagementPolicy
from msgraph.generated.users.item.send_mail.send_mail_post_request_body import SendMailPostRequestBody
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_item import BatchRequestItem
from msgraph_core.tasks import PageIterator

from lab import GRAPH, SCOPE, Certificate, Lab


def client_of(lab, app):
    how = {"authority": lab.url, "disable_instance_discovery": True}
    credential = ClientSecretCredential(lab.tenant, app["app_id"], app["secret"], **how)
    auth = AzureIdentityAuthenticationProvider(credential, scopes=[SCOPE], allowed_hosts=["127.0.0.1", "localhost"])
    adapter = GraphRequestAdapter(auth)
    adapter.base_url = lab.url + "/v1.0"
    return GraphServiceClient(request_adapter=adapter)


def asking(builder, name, **options):
    query = getattr(builder, f"{name}GetQueryParameters")(**options)
    return RequestConfiguration(query_parameters=query)


def application(builder, **options):
    return asking(builder, builder.__name__, **options)


async def refused(awaitable):
    """What an error became on the way through the SDK."""
    try:
        await awaitable
    except ODataError as error:
        inner = error.error.inner_error
        return {
            "status": error.response_status_code,
            "code": error.error.code,
            "request id": bool(inner and inner.request_id),
            "dated": bool(inner and inner.date),
        }
    return {"status": "accepted"}


async def credentials(client, lab):
    """Secrets by addPassword, certificates by PATCH and then by addKey with a proof."""
    app = await client.applications.post(Application(display_name="sdk", tags=["one"]))
    one = client.applications.by_application_id(app.id)
    end = datetime.datetime(2027, 5, 18, 9, 30, tzinfo=datetime.timezone.utc)
    wish = PasswordCredential(display_name="made by the SDK", end_date_time=end)
    secret = await one.add_password.post(AddPasswordPostRequestBody(password_credential=wish))
    listed = (await one.get()).password_credentials
    await one.remove_password.post(RemovePasswordPostRequestBody(key_id=secret.key_id))
    left = (await one.get()).password_credentials
    first, second = Certificate("first"), Certificate("second")

    def key(certificate):
        return KeyCredential(type="AsymmetricX509Cert", usage="Verify", key=certificate.der, display_name="CN=sdk")

    def add(certificate, proof):
        return one.add_key.post(AddKeyPostRequestBody(key_credential=key(certificate), proof=proof))

    too_early = await refused(add(first, first.proof(app.id)))
    await one.patch(Application(key_credentials=[key(first)]))
    bootstrapped = (await one.get()).key_credentials
    added = await add(second, first.proof(app.id))
    padded = await refused(add(Certificate(), first.proof(app.id, padded=True)))
    strange = await refused(add(Certificate(), Certificate().proof(app.id)))
    unproven = await refused(add(Certificate(), None))
    with_bytes = await one.get(
        request_configuration=application(ApplicationItemRequestBuilder, select=["keyCredentials"])
    )
    gone = RemoveKeyPostRequestBody(key_id=bootstrapped[0].key_id, proof=second.proof(app.id))
    await one.remove_key.post(gone)
    last = (await one.get()).key_credentials
    echo = last[0]
    await one.patch(Application(key_credentials=[echo, key(first)]))
    return app, {
        "secret": [len(secret.secret_text), secret.hint == secret.secret_text[:3], secret.end_date_time == end],
        "listed": [len(listed), listed[0].secret_text, listed[0].display_name],
        "left": len(left),
        "addKey before any certificate": too_early,
        "bootstrapped": [len(bootstrapped), bootstrapped[0].key],
        "identifier": base64.b64encode(bootstrapped[0].custom_key_identifier).decode() == first.thumbprint(),
        "added": added.usage,
        "padded proof": padded,
        "foreign proof": strange,
        "no proof": unproven,
        "bytes on select": [one.key in (first.der, second.der) for one in with_bytes.key_credentials],
        "removed": [one.key_id == added.key_id for one in last],
        "echoed": len((await one.get()).key_credentials),
    }


async def lives(client, app):
    """Delete, the bin, restore, purge; PATCH of other properties."""
    one = client.applications.by_application_id(app.id)
    await one.patch(Application(notes="kept", tags=["one", "two"]))
    patched = await one.get()
    await one.delete()
    missing = await refused(one.get())
    bin_ = (await client.directory.deleted_items.graph_application.get()).value
    restored = await client.directory.deleted_items.by_directory_object_id(app.id).restore.post()
    back = await one.get()
    by_app_id = await client.applications_with_app_id(app.app_id).get()
    return {
        "patched": [patched.notes, patched.tags],
        "missing": missing,
        "in the bin": [one.id == app.id for one in bin_],
        "restored": type(restored).__name__,
        "back": back.display_name,
        "by appId": by_app_id.id == app.id,
    }


async def pages(client):
    """The page iterator over more than two pages; counting; the limits of $top."""
    names = []

    def take(one):
        names.append(one.display_name)
        return True

    options = {"top": 50, "select": ["id", "displayName"], "filter": "startswith(displayName,'filler-')"}
    first = await client.applications.get(request_configuration=application(ApplicationsRequestBuilder, **options))
    await PageIterator(first, client.request_adapter).iterate(take)
    counting = application(ApplicationsRequestBuilder, count=True, top=1, filter="startswith(displayName,'filler-')")
    counting.headers.add("ConsistencyLevel", "eventual")
    counted = await client.applications.get(request_configuration=counting)
    number = RequestConfiguration()
    number.headers.add("ConsistencyLevel", "eventual")
    return {
        "first page": len(first.value),
        "all": [len(names), len(set(names))],
        "counted": counted.odata_count,
        "$count": (await client.applications.count.get(request_configuration=number)) > 130,
        "top 1000": await refused(
            client.applications.get(request_configuration=application(ApplicationsRequestBuilder, top=1000))
        ),
    }


async def delta(client, app):
    """A round, a change, a round; a deletion, a round."""
    wide = application(DeltaRequestBuilder, select=["displayName"])
    page = await client.applications.delta.get(request_configuration=wide)
    seen, links = len(page.value), 0
    while page.odata_next_link:
        page = await client.applications.delta.with_url(page.odata_next_link).get()
        seen, links = seen + len(page.value), links + 1
    quiet = await client.applications.delta.with_url(page.odata_delta_link).get()
    one = client.applications.by_application_id(app.id)
    await one.patch(Application(notes="not selected"))
    unselected = await client.applications.delta.with_url(quiet.odata_delta_link).get()
    await one.patch(Application(display_name="sdk, renamed"))
    renamed = await client.applications.delta.with_url(quiet.odata_delta_link).get()
    await one.delete()
    deleted = await client.applications.delta.with_url(renamed.odata_delta_link).get()
    await client.directory.deleted_items.by_directory_object_id(app.id).delete()
    purged = await client.applications.delta.with_url(deleted.odata_delta_link).get()
    return {
        "first round": [seen > 130, links],
        "quiet": len(quiet.value),
        "unselected": len(unselected.value),
        "renamed": [[one.id == app.id, one.display_name] for one in renamed.value],
        "deleted": [[one.id == app.id, one.additional_data["@removed"]] for one in deleted.value],
        "purged": [[one.id == app.id, one.additional_data["@removed"]] for one in purged.value],
        "expired": await refused(
            client.applications.delta.with_url(page.odata_delta_link.split("=")[0] + "=t999999").get()
        ),
    }


async def batches(client, lab, bearer):
    """Twenty by the SDK; the rest by hand, since the SDK writes neither dependsOn nor a wrong batch."""
    requests = {}
    for number in range(20):
        info = client.applications.to_get_request_information(application(ApplicationsRequestBuilder, top=1))
        requests[str(number)] = BatchRequestItem(info, id=str(number))
    answer = await client.batch.post(BatchRequestContent(requests))
    statuses = set(answer.get_response_status_codes().values())
    # The SDK loses JSON bodies on its way in, so statuses are all that it can be asked.

    def post(*items):
        status, body = lab.graph("POST", "/$batch", {"requests": list(items)}, bearer)
        if status != 200:
            return {"status": status, "code": body["error"]["code"]}
        assert all("value" in one["body"] for one in body["responses"] if one["status"] == 200)
        return {one["id"]: one["status"] for one in body["responses"]}

    def item(number, method="GET", url="/applications?$top=1", **more):
        return {"id": str(number), "method": method, "url": url, **more}

    json_type = {"Content-Type": "application/json"}
    new = {"headers": json_type, "body": {"displayName": "from a batch"}}
    return {
        "twenty": [len(answer.responses), sorted(statuses)],
        "without slash, write, missing": post(
            item(1, url="applications?$top=1"),
            item(2, "POST", "/applications", **new),
            item(3, url=f"/applications/{lab.tenant}"),
        ),
        "dependsOn": post(
            item("last", dependsOn=["b"]), item("b", url="/nothing", dependsOn=["a"]), item("a"), item("free")
        ),
        "circle": post(item("a", dependsOn=["b"]), item("b", dependsOn=["a"])),
        "unknown dependency": post(item("a", dependsOn=["x"])),
        "duplicate id": post(item("a"), item("A")),
        "twenty-one": post(*(item(number) for number in range(21))),
        "body without type": post(item(1, "POST", "/applications", body={"displayName": "x"})),
        "none": post(),
    }


async def consent(client, lab):
    """Service principals, owners and app role assignments; what OwnedBy may not do."""
    app = await client.applications.post(Application(display_name="sdk, consent"))
    principal = await client.service_principals.post(ServicePrincipal(app_id=app.app_id))
    again = await refused(client.service_principals.post(ServicePrincipal(app_id=app.app_id)))
    one = client.applications.by_application_id(app.id)
    link = f"{lab.url}/v1.0/directoryObjects/{principal.id}"
    await one.owners.ref.post(ReferenceCreate(odata_id=link))
    owners = (await one.owners.get()).value
    await one.owners.by_directory_object_id(principal.id).ref.delete()
    left = (await one.owners.get()).value
    graph = await client.service_principals_with_app_id(GRAPH).get()
    role = next(role for role in graph.app_roles if role.value == "Mail.Send")
    holder = client.service_principals.by_service_principal_id(principal.id).app_role_assignments
    wish = AppRoleAssignment(principal_id=UUID(principal.id), resource_id=UUID(graph.id), app_role_id=role.id)
    made = await holder.post(wish)
    twice = await refused(holder.post(wish))
    held = (await holder.get()).value
    await holder.by_app_role_assignment_id(made.id).delete()
    return {
        "again": again,
        "owners": [[type(one).__name__, one.id == principal.id] for one in owners],
        "left": len(left),
        "roles offered": len(graph.app_roles) > 500,
        "assigned": [one.resource_display_name for one in held],
        "twice": twice,
        "taken away": len((await holder.get()).value),
    }


async def policies(client, lab):
    """The tenant's policy, and one of an application's own, met by addPassword."""
    default = client.policies.default_app_management_policy
    shown = await default.get()
    # A timedelta would go over the wire as Python prints it; a text goes as it is.
    rule = PasswordCredentialConfiguration(restriction_type=AppCredentialRestrictionType.PasswordLifetime, max_lifetime="P180D")
    restrictions = AppManagementApplicationConfiguration(password_credentials=[rule])
    await default.patch(TenantAppManagementPolicy(is_enabled=True, application_restrictions=restrictions))
    app = await client.applications.post(Application(display_name="sdk, bound"))
    one = client.applications.by_application_id(app.id)
    two_years = await refused(one.add_password.post(AddPasswordPostRequestBody()))
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=100)
    wish = AddPasswordPostRequestBody(password_credential=PasswordCredential(end_date_time=soon))
    short = await refused(one.add_password.post(wish))
    blocked = PasswordCredentialConfiguration(restriction_type=AppCredentialRestrictionType.PasswordAddition)
    own = await client.policies.app_management_policies.post(
        AppManagementPolicy(
            display_name="no secrets",
            is_enabled=True,
            restrictions=CustomAppManagementConfiguration(password_credentials=[blocked]),
        )
    )
    link = f"{lab.url}/v1.0/policies/appManagementPolicies/{own.id}"
    await one.app_management_policies.ref.post(ReferenceCreate(odata_id=link))
    attached = (await one.app_management_policies.get()).value
    by_type = await refused(one.add_password.post(wish))
    item = client.policies.app_management_policies.by_app_management_policy_id(own.id)
    applies = (await item.applies_to.get()).value
    await one.app_management_policies.by_app_management_policy_id(own.id).ref.delete()
    await item.delete()
    await default.patch(TenantAppManagementPolicy(is_enabled=False))
    free = await refused(one.add_password.post(AddPasswordPostRequestBody()))
    return {
        "default": [shown.is_enabled, shown.id],
        "two years": two_years,
        "a hundred days": short["status"],
        "attached": [[one.display_name, one.id == own.id] for one in attached],
        "applies to": [one.id == app.id for one in applies],
        "by type": by_type,
        "free again": free["status"],
    }


async def mail(client, lab):
    """A mail, and what the emulator caught of it."""
    to = Recipient(email_address=EmailAddress(address="d.okoro@contoso.example"))
    message = Message(
        subject="by the SDK",
        body=ItemBody(content_type=BodyType.Text, content="Hello"),
        to_recipients=[to],
        internet_message_headers=[InternetMessageHeader(name="x-everkey", value="1")],
    )
    send = client.users.by_user_id("everkey@contoso.example").send_mail
    await send.post(SendMailPostRequestBody(message=message, save_to_sent_items=False))
    caught = lab.mails()
    stranger = client.users.by_user_id("nobody@elsewhere.example").send_mail
    return {
        "caught": [[one["from"], one["to"], "Subject: by the SDK" in one["data"]] for one in caught],
        "unknown mailbox": await refused(stranger.post(SendMailPostRequestBody(message=message))),
    }


ROLES = [
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "Mail.Send",
    "Policy.ReadWrite.ApplicationConfiguration",
]


async def walk(lab):
    everything = lab.app("sdk admin", ROLES)
    client = client_of(lab, everything)
    bearer = lab.token(everything["app_id"], everything["secret"])
    nobody = client_of(lab, lab.app("sdk nobody"))
    app, made = await credentials(client, lab)
    return {
        "credentials": made,
        "lives": await lives(client, app),
        "pages": await pages(client),
        "delta": await delta(client, app),
        "batches": await batches(client, lab, bearer),
        "consent": await consent(client, lab),
        "policies": await policies(client, lab),
        "mail": await mail(client, lab),
        "no role": await refused(nobody.applications.get()),
        "no body": await refused(client.applications.post(Application(notes="no name"))),
    }


def main(guide_file):
    lab = Lab(guide_file)
    lab.seed({"fill": 130})
    print(json.dumps(asyncio.run(walk(lab))))


main(*sys.argv[1:])
