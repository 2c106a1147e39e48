//! Hand-offs: sealed items that a named person carries to a vendor.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::AppRef;
use super::HandoffField;
use super::HandoffId;
use super::HandoffVia;
use super::IntegrationName;
use super::KeyId;
use super::RotationId;
use super::SealId;
use super::SinkId;
use super::SlotName;

/// Where a hand-off stands.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandoffStatus {
    /// Sealed, waiting for the doer.
    Waiting,
    /// The doer says the recipient uses it.
    Confirmed {
        /// When.
        at: Timestamp,
        /// Who said so.
        by: String,
    },
    /// Replaced by another hand-off (`reissue`); its receipt counts for nothing.
    Void {
        /// The hand-off that takes its place.
        by: HandoffId,
    },
    /// The value it carries has expired or was retired.
    Closed,
}

/// One hand-off. Holds no secret: the value stays sealed in the store.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Handoff {
    /// Its number.
    pub id: HandoffId,
    /// Integration.
    pub integration: IntegrationName,
    /// The integration's title, for the sheet.
    pub title: String,
    /// Slot.
    pub slot: SlotName,
    /// Rotation that made it.
    pub rotation: RotationId,
    /// Which sink of the credential it is.
    pub sink: SinkId,
    /// `keyId` of the credential it carries.
    pub key_id: KeyId,
    /// `secret` or `certificate`.
    pub word: String,
    /// The application.
    pub app: AppRef,
    /// Who carries it.
    pub doer: String,
    /// Who receives it.
    pub recipient_name: String,
    /// Where it goes.
    pub place: String,
    /// How the doer gets it.
    pub via: HandoffVia,
    /// Text for the vendor's ticket.
    pub ticket_text: Option<String>,
    /// The sheet's lines, in the vendor's order.
    pub fields: Vec<HandoffField>,
    /// Sealed values it can reveal.
    pub seals: Vec<SealId>,
    /// When it was sealed.
    pub created: Timestamp,
    /// When the doer should have handed it over.
    pub due: Timestamp,
    /// When what the consumer now uses stops; `None` at first issuance.
    pub old_end: Option<Timestamp>,
    /// End of the new credential.
    pub new_end: Timestamp,
    /// When and by whom it was opened; the value is shown once.
    pub opened: Option<(Timestamp, String)>,
    /// Where it stands.
    pub status: HandoffStatus,
}

impl Handoff {
    /// Whether somebody still has to act.
    pub fn is_waiting(&self) -> bool {
        self.status == HandoffStatus::Waiting
    }
}
