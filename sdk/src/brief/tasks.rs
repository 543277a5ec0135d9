use super::{Brief, Kind, Line, about};
use crate::configuration;

/// What becomes of news about something that has an item already, for tools where the plugin does not find
/// it again.
///
/// ```
/// use hookwright_sdk::{brief::Updates, configuration};
///
/// #[configuration]
/// struct Config {
///     /// What updates and status changes do: nothing, or create another issue.
///     #[config(default)]
///     updates: Updates,
/// }
///
/// let config: Config = serde_json::from_str("{}").unwrap();
/// assert_eq!(config.updates, Updates::Skip);
/// ```
#[configuration]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Updates {
    /// Nothing.
    #[default]
    Skip,
    /// An item of its own.
    Create,
}

impl Brief {
    /// What somebody has to do now, each for an item of its own and at most `most`; or, as the error, why
    /// there is nothing to do. Of more actions than that, the last item lists those that got none.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let retro = serde_json::json!({"retro": {"id": 1, "name": "May"}, "actions": [{"id": 2, "title": "Fix it"}]});
    /// let brief = Brief::of(&testing::event("retro.completed").payload(retro).build())?;
    /// assert_eq!(brief.tasks(100).expect("something to do")[0].title, "Fix it");
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    pub fn tasks(self, most: usize) -> Result<Vec<Self>, String> {
        match self.kind {
            Kind::Retro if self.items.is_empty() => Err("The retro has no actions.".to_owned()),
            Kind::Retro => Ok(self.actions(most)),
            Kind::Digest => {
                let tasks = self.items.into_iter().filter_map(|item| item.tasks(most).ok()).flatten();
                let items: Vec<Self> = tasks.collect();
                if items.is_empty() {
                    return Err("None of the events of the digest is something to do.".to_owned());
                }
                Ok(Self { items, ..self }.actions(most))
            }
            Kind::New | Kind::Changed | Kind::Moved | Kind::Failed => Ok(vec![self]),
            Kind::News => Err("Nothing to do: only what failed is for a tool with items.".to_owned()),
            Kind::Empty => Err("Nothing to do: it was triggered without an event.".to_owned()),
            Kind::Custom => Err(format!(
                "`{}` is not of the catalogue; adapt the plugin for event types of your own.",
                self.event_type
            )),
        }
    }

    /// Like [`Brief::tasks`], where news about what has an item already does what a configuration says.
    ///
    /// ```
    /// use hookwright_sdk::{brief::{Brief, Updates}, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails"}});
    /// let brief = Brief::of(&testing::event("ticket.updated").payload(ticket).build())?;
    /// assert!(brief.clone().new_tasks(100, Updates::Skip).is_err());
    /// assert_eq!(brief.new_tasks(100, Updates::Create).map(|tasks| tasks.len()), Ok(1));
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    pub fn new_tasks(self, most: usize, updates: Updates) -> Result<Vec<Self>, String> {
        if updates == Updates::Skip && matches!(self.kind, Kind::Changed | Kind::Moved) {
            return Err("It has an item already; with `updates: create` it gets another one.".to_owned());
        }
        self.tasks(most)
    }

    fn actions(mut self, most: usize) -> Vec<Self> {
        if self.items.len() > most {
            let rest = self.items.split_off(most.saturating_sub(1));
            let line = |item: &Self| Line { name: item.title.clone(), note: item.owner.clone(), done: None };
            self.items.push(Self {
                about: about("rest-of", &self.about),
                kind: Kind::New,
                event_type: self.event_type,
                title: format!("{} more actions of {}", rest.len(), self.title),
                lines: rest.iter().map(line).collect(),
                from: rest.first().and_then(|item| item.from.clone()),
                ..Self::default()
            });
        }
        self.items
    }
}
