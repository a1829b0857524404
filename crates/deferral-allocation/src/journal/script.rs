//! Months of a team in a few hundred events, for tests.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::VecDeque;

use deferral_core::Stream;
use rand::RngExt;

use crate::archive::Recent;
use crate::closed_loop::ClosedLoop;
use crate::event::{Event, Reply};
use crate::method::Method;
use crate::spec::{Founder, LoopSpec};

/// Five people, committees of three, leases of ten seconds.
pub(super) fn spec() -> LoopSpec {
    let founder = |worker: &str| Founder { worker: worker.to_owned(), ..Founder::default() };
    let team = ["ann", "bob", "eve", "joe", "sue"].map(founder);
    let loop_of = LoopSpec::new(Method::named("uniform").unwrap(), ["fine", "abusive"], 7);
    LoopSpec { team: team.into(), lease: Some(10.0), features: 2, ..loop_of }
}

/// The events of `tasks` tasks, one a second: most people vote, some late, some twice, some never; every now and then
/// somebody joins or leaves. Sent twice in one piece, no event does anything the second time.
pub(super) fn script(tasks: usize, seed: u64) -> Vec<Event> {
    let mut random = Stream::new(seed).random();
    let mut looped = ClosedLoop::start(&spec()).unwrap();
    let mut archive = Recent::new(usize::MAX);
    let (mut events, mut late) = (Vec::new(), VecDeque::new());
    for number in 0..tasks {
        let at = Some(number as f64);
        let features = vec![random.random(), -random.random::<f64>()];
        let mut queue = VecDeque::from([Event::Task { task: format!("task {number}"), features, group: None, at }]);
        match number % 40 {
            19 => queue.push_back(Event::Join {
                worker: format!("guest {number}"),
                similarity: [].into(),
                cost: Some(0.1),
                capacity: None,
                budget: None,
                at,
            }),
            39 => queue.push_back(Event::Leave { worker: format!("guest {}", number - 20), at }),
            _ => {}
        }
        if late.len() > 20 {
            queue.extend(late.pop_front());
        }
        while let Some(event) = queue.pop_front() {
            for reply in looped.handle(&event, &mut archive).unwrap().replies {
                let Reply::Committee { task, workers, .. } = reply else { continue };
                for worker in workers {
                    let label = if random.random_bool(0.8) { "fine" } else { "abusive" }.to_owned();
                    let vote = Event::Vote { task: task.clone(), worker, label, at: None };
                    match random.random_range(0..10) {
                        0 => {}
                        1 => late.push_back(vote),
                        2 => queue.extend([vote.clone(), vote]),
                        _ => queue.push_back(vote),
                    }
                }
            }
            events.push(event);
        }
    }
    events
}
