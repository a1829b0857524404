//! What a journal tells about draws: the cases of a log that other allocators can be judged by.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use deferral_core::{GroupId, Label, Question};

use crate::archive::{Archive, Recent};
use crate::closed_loop::ClosedLoop;
use crate::event::{Event, Reply};
use crate::journal::{Journal, JournalError, Record, export};
use crate::off_policy::Logged;
use crate::spec::LoopSpec;

/// The decided tasks of a journal in the order of their decisions, each with the seats of its first offer and the votes
/// that came for them. `gold` has the true label of some tasks by name.
///
/// The journal is run again, and all of it is held in memory. O(events) and what the loop itself took.
///
/// # Errors
/// If the journal can't be opened or is damaged.
pub fn logged(path: &Path, gold: &BTreeMap<String, Label>) -> Result<Vec<Logged>, JournalError> {
    let spec = Journal::open(path)?.spec()?;
    let mut watch = Watch::new(&spec)?;
    export(path, |record| watch.see(&record, gold, path))?;
    Ok(watch.log)
}

/// A loop that runs beside the records of one that ran.
struct Watch {
    team: ClosedLoop,
    decided: Recent,
    groups: Vec<String>,
    open: HashMap<String, Logged>,
    log: Vec<Logged>,
}

impl Watch {
    fn new(spec: &LoopSpec) -> Result<Self, JournalError> {
        Ok(Self {
            team: ClosedLoop::start(spec)?,
            decided: Recent::new(usize::MAX),
            groups: spec.groups.clone(),
            open: HashMap::new(),
            log: Vec::new(),
        })
    }

    fn see(&mut self, record: &Record, gold: &BTreeMap<String, Label>, path: &Path) -> Result<(), JournalError> {
        let damaged = |error: crate::archive::ArchiveError| JournalError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let before = self.team.arrived();
        self.team.handle(&record.event, &mut self.decided).map_err(damaged)?;
        // A task that is refused, or sent again, is no new one.
        if let Event::Task { task, features, group, .. } = &record.event
            && self.team.arrived() > before
        {
            let position = group.as_ref().and_then(|group| self.groups.iter().position(|known| known == group));
            let case = Logged { features: features.clone(), group: position.map(GroupId::at), ..Logged::default() };
            self.open.insert(task.clone(), case);
        }
        for reply in &record.replies {
            match reply {
                Reply::Committee { task, workers, seats, offer: 1, .. } => {
                    // Sent again it is answered with those who have not voted yet.
                    let Some(case) = self.open.get_mut(task).filter(|case| case.seats.is_empty()) else { continue };
                    let question = |seat: &crate::event::Seat| {
                        let expert = self.team.expert(workers.get(seat.worker)?)?;
                        Some(Question { expert, propensity: seat.propensity })
                    };
                    case.seats = seats.iter().filter_map(question).collect();
                    // Who was asked was available before.
                    case.available = self.team.available();
                    case.available.extend(case.seats.iter().map(|seat| seat.expert));
                    case.available.sort_unstable();
                    case.available.dedup();
                }
                Reply::Label { task, .. } => {
                    let Some(mut case) = self.open.remove(task) else { continue };
                    let Some(closed) = self.decided.find(task).map_err(damaged)? else { continue };
                    let has_a_seat = |expert| case.seats.iter().any(|seat| seat.expert == expert);
                    case.votes = closed.votes.into_iter().filter(|vote| has_a_seat(vote.expert)).collect();
                    (case.label, case.gold) = (closed.label, gold.get(task).copied());
                    self.log.push(case);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Method;
    use crate::spec::Founder;
    use deferral_core::ExpertId;

    #[test]
    fn a_task_that_is_sent_again_is_one_case() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("team.redb");
        let team = ["ann", "bob", "eve"].map(|worker| Founder { worker: worker.to_owned(), ..Founder::default() });
        let uniform = LoopSpec::new(Method::named("uniform").unwrap(), ["fine", "abusive"], 1);
        let mut journal = Journal::create(&path, &LoopSpec { team: team.into(), features: 1, ..uniform }).unwrap();
        // Every event is in the journal, because time passes.
        for line in [
            r#"{"event": "task", "task": "t", "features": [7, 7], "at": 1}"#,
            r#"{"event": "task", "task": "t", "features": [7], "at": 2}"#,
            r#"{"event": "vote", "task": "t", "worker": "ann", "label": "fine", "at": 3}"#,
            r#"{"event": "task", "task": "t", "features": [8], "at": 4}"#,
            r#"{"event": "vote", "task": "t", "worker": "bob", "label": "abusive", "at": 5}"#,
            r#"{"event": "vote", "task": "t", "worker": "eve", "label": "fine", "at": 6}"#,
            r#"{"event": "task", "task": "t", "features": [7], "at": 7}"#,
        ] {
            journal.record(&[serde_json::from_str(line).unwrap()]).unwrap();
        }
        assert_eq!(journal.events(), 7);
        journal.close().unwrap();
        let log = logged(&path, &BTreeMap::from([("t".to_owned(), Label(1))])).unwrap();
        assert_eq!(log.len(), 1);
        assert_eq!((&log[0].features[..], log[0].label, log[0].gold), (&[7.0][..], Some(Label(0)), Some(Label(1))));
        assert_eq!((log[0].seats.len(), log[0].votes.len()), (3, 3));
        assert_eq!(log[0].available, [0, 1, 2].map(ExpertId));
    }
}
