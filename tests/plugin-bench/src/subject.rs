//! The one event that all of them get, and the sandbox that runs it.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use hookwright::config::PluginConfig;
use hookwright::domain::clock::{Clock, Millis};
use hookwright::domain::delivery::Trigger;
use hookwright::domain::entropy::Entropy;
use hookwright::domain::event::Event;
use hookwright::domain::id::{DeliveryId, EventId, ProjectId, WebhookId};
use hookwright::domain::pattern::EventType;
use hookwright::domain::plugin::Digest;
use hookwright::sandbox::{CacheSettings, Compiler, Input, Loaded, Sandbox};
use secrecy::SecretBox;
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::Failure;

/// The event's type.
pub(crate) const KIND: &str = "ticket.created";
/// Bytes of its payload.
const PAYLOAD_BYTES: usize = 1024;
/// The webhook's configuration.
pub(crate) const CONFIGURATION: &str = "{}";

/// A ticket with a description that makes it this large.
pub(crate) fn payload() -> String {
    let ticket = |description: &str| {
        json!({
            "ticket": {
                "id": "tic_42",
                "key": "QA-42",
                "title": "Export fails for empty projects",
                "description": description,
                "status": "open",
                "priority": "high",
                "url": "https://qa.example.com/tickets/42",
                "assignee": "ada",
                "labels": ["export", "regression"],
            },
            "actor": "grace",
        })
        .to_string()
    };
    let mut description = String::new();
    let mut step = 0;
    while ticket(&description).len() < PAYLOAD_BYTES - 40 {
        step += 1;
        write!(description, "{step}. Open an empty project & choose <Export>. ").expect("a text takes text");
    }
    ticket(&description)
}

/// The event as the sandbox gets it.
pub(crate) fn input() -> Input {
    let now = Millis(1_769_860_800_000);
    let id = Uuid::from_u128;
    let event = Event {
        id: EventId::from_uuid(id(1)),
        project: ProjectId::from_uuid(id(2)),
        event_type: EventType::parse(KIND).expect("a type"),
        subject: Some("tic_42".to_owned()),
        occurred_at: now,
        received_at: now,
        content_type: "application/json".to_owned(),
        attributes: Vec::new(),
        payload: Some(payload().into_bytes().into()),
    };
    Input {
        event: Arc::new(event),
        trigger: Trigger::Event,
        delivery: DeliveryId::from_uuid(id(3)),
        webhook: WebhookId::from_uuid(id(4)),
        webhook_name: "benchmark".to_owned(),
        configuration: CONFIGURATION.to_owned(),
        memory: None,
    }
}

/// A sandbox with the server's defaults, and the folder of its compiled code.
pub(crate) struct Host {
    pub(crate) sandbox: Sandbox,
    _folder: TempDir,
}

impl Host {
    /// Starts it; components are compiled by this program in processes of its own.
    pub(crate) fn start(program: &Path) -> Result<Self, Failure> {
        let config = PluginConfig::default();
        let folder = tempfile::tempdir()?;
        let cache = CacheSettings {
            folder: folder.path().to_owned(),
            key: SecretBox::new(Box::new([7; 32])),
            bytes_max: config.cache_bytes,
            entropy: Entropy::System,
            clock: Clock::System,
        };
        let compiler = Compiler::new(program.to_owned(), &config);
        let sandbox = Sandbox::start(&config, compiler, cache).map_err(|failure| failure.to_string())?;
        Ok(Self { sandbox, _folder: folder })
    }

    /// A component, compiled once and then kept on disk, loaded anew each time.
    pub(crate) async fn load(&self, component: &[u8]) -> Result<Arc<Loaded>, Failure> {
        let turn = self.sandbox.turn(ProjectId::from_uuid(Uuid::from_u128(2))).await;
        let loaded = self.sandbox.compile(turn, Digest::of(component), component.to_owned()).await;
        Ok(loaded.map_err(|error| error.to_string())?)
    }
}
