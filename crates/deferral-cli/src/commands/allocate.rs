//! `deferral allocate`: events in, committees and labels out, a line each; what is answered is on the disk.

mod input;

use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deferral_allocation::{Event, Founder, Journal, LoopSpec, Method, Reply};
use deferral_core::Names;
use deferral_data::{Member, read_members, read_similarities};

use self::input::{Input, Line};
use super::Globals;
use crate::args::{Allocate, Clock, DEFAULT_SEED, NewLoop};
use crate::failure::Failure;

pub(crate) fn run(args: &Allocate, globals: Globals) -> Result<(), Failure> {
    let mut journal = open(args, globals)?;
    let mut input = Input::stdin();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    loop {
        let (batch, is_last) = input.gather(time_left(&journal, args.clock));
        answer(batch, &mut journal, args.clock, &mut out)?;
        if is_last {
            return Ok(journal.close()?);
        }
    }
}

fn open(args: &Allocate, globals: Globals) -> Result<Journal, Failure> {
    let path = &args.journal;
    if path.exists() {
        let journal = Journal::open(path)?;
        let kept = journal.spec()?;
        // The default is what nobody said.
        let seed = if globals.seed == DEFAULT_SEED { kept.seed } else { globals.seed };
        journal.require(&args.new.over(LoopSpec { seed, ..kept })?)?;
        return Ok(journal);
    }
    if args.new.labels.is_empty() {
        return Err(Failure::usage("name the labels of a new journal, such as --labels fine,abusive"));
    }
    let latent = Method::named("latent").map_err(Failure::input)?;
    let plain = LoopSpec::new(latent, args.new.labels.iter(), globals.seed);
    Ok(Journal::open_or_create(path, &args.new.over(plain)?)?)
}

impl NewLoop {
    /// The parameters of `base` with those that are said in their place.
    fn over(&self, base: LoopSpec) -> Result<LoopSpec, Failure> {
        let similarities = self.prior.as_deref().map_or(Ok(Vec::new()), read_similarities)?;
        let groups = match (&self.groups, &self.prior) {
            (said, _) if !said.is_empty() => said.clone(),
            (_, Some(_)) => groups(&similarities),
            _ => base.groups,
        };
        let team = match (&self.experts, &self.prior) {
            (None, None) => base.team,
            (experts, _) => team(experts.as_deref().map_or(Ok(Vec::new()), read_members)?, similarities),
        };
        Ok(LoopSpec {
            method: self.method(base.method)?,
            classes: if self.labels.is_empty() { base.classes } else { self.labels.clone() },
            groups,
            features: self.features.unwrap_or(base.features),
            team,
            lease: self.lease.or(base.lease),
            offers: self.offers.unwrap_or(base.offers),
            window: self.window.unwrap_or(base.window),
            seed: base.seed,
        })
    }

    /// The policy that is said, or else `base`, with the settings that are said.
    fn method(&self, base: Method) -> Result<Method, Failure> {
        let mut method = self.policy.as_deref().map_or(Ok(base), Method::parse).map_err(Failure::input)?;
        for setting in &self.set {
            let Some((key, value)) = setting.split_once('=') else {
                return Err(Failure::usage(format!("--set is `{setting}`, but must be KEY=VALUE, such as k=5")));
            };
            method = method.with(key.trim(), value.trim()).map_err(Failure::input)?;
        }
        Ok(method)
    }
}

/// The groups of a prior in the order in which they come.
fn groups(similarities: &[(String, String, f64)]) -> Vec<String> {
    let groups: Names = similarities.iter().map(|(_, group, _)| group).collect();
    groups.iter().map(str::to_owned).collect()
}

/// Those who are listed, then those who only the prior knows.
fn team(members: Vec<Member>, similarities: Vec<(String, String, f64)>) -> Vec<Founder> {
    let mut team: Vec<Founder> = members.into_iter().map(founder).collect();
    let mut places: HashMap<String, usize> = team.iter().enumerate().map(|(at, f)| (f.worker.clone(), at)).collect();
    for (worker, group, similarity) in similarities {
        let place = *places.entry(worker.clone()).or_insert_with(|| {
            team.push(Founder { worker, ..Founder::default() });
            team.len() - 1
        });
        team[place].similarity.insert(group, similarity);
    }
    team
}

fn founder(member: Member) -> Founder {
    let Member { worker, cost, capacity, budget } = member;
    Founder { worker, cost, capacity, budget, ..Founder::default() }
}

/// How long to wait for the next line, if something happens then without one.
fn time_left(journal: &Journal, clock: Clock) -> Option<Duration> {
    let end = journal.state().next_timeout().filter(|_| clock == Clock::System)?;
    Some(Duration::from_secs_f64((end - seconds_since_1970()).clamp(0.0, 86_400.0)))
}

fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

/// Records the events of a batch in one go and writes the answers in the order of the lines.
fn answer(batch: Vec<Line>, journal: &mut Journal, clock: Clock, out: &mut impl Write) -> Result<(), Failure> {
    let now = (clock == Clock::System).then(seconds_since_1970);
    let mut refused = Vec::with_capacity(batch.len());
    let mut events = Vec::with_capacity(batch.len());
    for line in batch {
        match line {
            Ok(event) => {
                refused.push(None);
                events.push(event.or_at(now));
            }
            Err(reason) => refused.push(Some(Reply::Refused { reason })),
        }
    }
    if refused.is_empty() {
        // Nobody said anything until a lease ended or a time window began.
        events.extend(now.map(|at| Event::Time { at }));
        refused.push(None);
    }
    let mut answers = journal.record(&events)?.into_iter();
    for refused in refused {
        let replies = refused.map_or_else(|| answers.next().unwrap_or_default(), |refused| vec![refused]);
        for reply in replies {
            serde_json::to_writer(&mut *out, &reply).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(out.flush()?)
}
