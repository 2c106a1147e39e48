//! Pages of lists that are not what they should be.

use serde_json::Value;
use serde_json::json;

use super::PageTrick;
use crate::emulator::call::Call;
use crate::emulator::call::Reply;
use crate::emulator::call::ReplyBody;

const NEXT: &str = "@odata.nextLink";

/// The page with this link; what is no list stays as it is.
pub(super) fn leading_to(mut reply: Reply, to: &str) -> Reply {
    if let Some(page) = page(&mut reply) {
        page.remove("@odata.deltaLink");
        page.insert(NEXT.to_owned(), json!(to));
    }
    reply
}

/// The page, tricked; what is no list stays as it is.
pub(super) fn tricked(mut reply: Reply, trick: PageTrick, call: &Call) -> Reply {
    let itself = format!("{}{}{}{}", call.base(), call.path, if call.query.is_empty() { "" } else { "?" }, call.query);
    let Some(page) = page(&mut reply) else { return reply };
    match trick {
        PageTrick::Last => {
            page.remove(NEXT);
            page.remove("@odata.deltaLink");
        }
        PageTrick::Empty | PageTrick::Repeated => {
            if trick == PageTrick::Empty {
                page.insert("value".to_owned(), json!([]));
            }
            return leading_to(reply, &itself);
        }
        PageTrick::Doubled | PageTrick::Reversed => {
            if let Some(Value::Array(entries)) = page.get_mut("value") {
                match trick {
                    PageTrick::Doubled => {
                        *entries = entries.iter().flat_map(|one| [one.clone(), one.clone()]).collect()
                    }
                    _ => entries.reverse(),
                }
            }
        }
    }
    reply
}

fn page(reply: &mut Reply) -> Option<&mut serde_json::Map<String, Value>> {
    let ReplyBody::Json(Value::Object(page)) = &mut reply.body else { return None };
    page.get("value").is_some_and(Value::is_array).then_some(page)
}
