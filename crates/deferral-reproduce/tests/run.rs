//! A run is the same on any number of threads and machines, and goes on where it was.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::Path;

use deferral_reproduce::cache::{Cache, Finished};
use deferral_reproduce::catalogue::Catalogue;
use deferral_reproduce::data::Data;
use deferral_reproduce::error::ReproduceError;
use deferral_reproduce::experiment::Experiment;
use deferral_reproduce::plan::{CODE, DataState, Plan, Wanted};
use deferral_reproduce::runner::{Found, run};
use deferral_reproduce::sample::Sample;
use deferral_reproduce::shard::{Part, Shard, jobs_of, merge};
use deferral_reproduce::verdict::{Count, tables};

const DESK: &str = r#"
id = "E1"
title = "A desk"
paper = "nobody-2026"
place = "table 1"
text = "Text."

[[study]]
name = "desk"
repetitions = 7
quick = 2
[study.run.compare]
cases.moderation = { cases = 80 }
group = "dialect"
split = { folds = 2 }
methods = ["majority", "best-expert", "dawid-skene"]

[[study]]
name = "loop"
repetitions = 3
[study.run.closed-loop]
world.clusters = { cases = 60 }
noise = [0.3, 0.6]
methods = ["latent", "majority"]

[[study]]
name = "closed"
data = ["gone"]
[study.run.compare]
cases.npz = { file = "gone.npz" }
split = "given"
methods = ["majority"]

[[table]]
title = "Accuracy"
study = "desk"
columns = [{ name = "all", measure = "accuracy" }]
row = [
    { name = "majority", method = "majority", published = [0.9], spread = [0.5] },
    { name = "gone", method = "majority", study = "closed", published = [0.9] },
]
"#;

fn plan_with(wanted: Wanted, data: &BTreeMap<String, DataState>) -> Result<Plan, ReproduceError> {
    let experiment = Experiment::parse(DESK, Path::new("E1.toml"))?;
    Plan::of(vec![experiment], wanted, &mut |set| Ok(data[set].clone()))
}

fn data() -> BTreeMap<String, DataState> {
    BTreeMap::from([("gone".to_owned(), Err(vec!["gone.npz is missing; fetch it".to_owned()]))])
}

fn plan(wanted: Wanted) -> Plan {
    plan_with(wanted, &data()).unwrap()
}

fn nothing() -> Data {
    Data::new(Path::new("nowhere"), &Catalogue::parse("set = []", "data.toml").unwrap())
}

/// What is found, but for the time that it took.
fn samples(finished: &[Finished]) -> Vec<&Sample> {
    finished.iter().flat_map(|finished| &finished.samples).collect()
}

fn ran(plan: &Plan, shard: Shard, threads: usize, cache: &Cache) -> Vec<Finished> {
    run(plan, &jobs_of(plan, shard), threads, &nothing(), cache, &|_| {}).unwrap()
}

fn fresh(plan: &Plan, shard: Shard, threads: usize) -> Vec<Finished> {
    let folder = tempfile::tempdir().unwrap();
    ran(plan, shard, threads, &Cache::open(folder.path()).unwrap())
}

fn part(plan: &Plan, shard: &str, threads: usize) -> Part {
    let shard: Shard = shard.parse().unwrap();
    Part {
        code: CODE.to_owned(),
        wanted: plan.wanted.clone(),
        data: data(),
        plan: plan.digest(),
        shard,
        finished: fresh(plan, shard, threads),
    }
}

#[test]
fn threads_and_shares_make_no_difference() {
    let plan = plan(Wanted::default());
    let one = fresh(&plan, Shard::WHOLE, 1);
    assert_eq!(samples(&one), samples(&fresh(&plan, Shard::WHOLE, 3)));
    let parts = ["3/3", "1/3", "2/3"].map(|shard| (shard.to_owned(), part(&plan, shard, 2)));
    assert!(parts.iter().all(|(_, part)| part.finished.len() < plan.jobs.len() / 2));
    let (merged, finished) = merge(&parts, &plan_with).unwrap();
    assert_eq!(merged, plan);
    assert_eq!(samples(&finished), samples(&one));
    assert_eq!(Found::of(&plan, one).results(0, 0), Found::of(&plan, finished).results(0, 0));
}

#[test]
fn a_part_survives_being_written() {
    let plan = plan(Wanted { quick: true, ..Wanted::default() });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.json");
    let part = part(&plan, "1/1", 1);
    part.write(&path).unwrap();
    assert_eq!(Part::read(&path).unwrap(), part);
    std::fs::write(&path, &std::fs::read(&path).unwrap()[..99]).unwrap();
    let message = Part::read(&path).unwrap_err().to_string();
    assert!(message.contains("part.json is not a whole part") && message.ends_with("write it again with --shard"));
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let plan = plan(Wanted::default());
    let named = |name: &str, part: Part| (name.to_owned(), part);
    let message = |parts: Vec<(String, Part)>| merge(&parts, &plan_with).unwrap_err().to_string();
    let first = part(&plan, "1/2", 1);
    let missing = message(vec![named("a.json", first.clone())]);
    assert_eq!(missing, "job 1 (E1 `desk` units 1 to 1) is in none of the parts; there are the shares 1/2");
    let seeded = Part { wanted: Wanted { seed: Some(2), ..Wanted::default() }, ..first.clone() };
    let other = message(vec![named("a.json", first.clone()), named("b.json", seeded)]);
    assert!(other.starts_with("b.json is not of the same run as a.json"), "{other}");
    let old = Part { code: "0".to_owned(), ..first.clone() };
    assert!(message(vec![named("a.json", old)]).starts_with("a.json is from other code (0 instead of "));
    let moved = Part { plan: "0".to_owned(), ..first };
    assert!(message(vec![named("a.json", moved)]).starts_with("the experiment files here are not those of a.json"));
    assert_eq!(message(Vec::new()), "there is no part to merge");
}

#[test]
fn a_run_goes_on_where_it_was() {
    let plan = plan(Wanted::default());
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    let whole = ran(&plan, Shard::WHOLE, 2, &cache);
    // What is kept is taken: times too, which no second run repeats.
    assert_eq!(ran(&plan, Shard::WHOLE, 1, &cache), whole);
    // A file of which only a part was written, and one that is of another job, count as none.
    let path = |at: usize| folder.path().join(format!("{}.json", plan.jobs[at].digest));
    let text = std::fs::read(path(0)).unwrap();
    std::fs::write(path(0), &text[..text.len() / 2]).unwrap();
    std::fs::copy(path(2), path(1)).unwrap();
    let again = ran(&plan, Shard::WHOLE, 2, &cache);
    assert_eq!(samples(&again), samples(&whole));
    assert_eq!(again[2..], whole[2..]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), plan.jobs.len(), "nothing else is left");
}

#[test]
fn another_seed_and_a_glance_are_other_jobs_or_fewer() {
    let digests = |wanted| plan(wanted).jobs.into_iter().map(|job| job.digest).collect::<Vec<_>>();
    let full = digests(Wanted::default());
    let quick = digests(Wanted { quick: true, ..Wanted::default() });
    assert!(quick.len() < full.len() && quick.iter().all(|digest| full.contains(digest)));
    let seeded = digests(Wanted { seed: Some(7), ..Wanted::default() });
    assert!(seeded.len() == full.len() && !seeded.iter().any(|digest| full.contains(digest)));
}

#[test]
fn what_is_not_here_is_said() {
    let plan = plan(Wanted::default());
    assert_eq!(plan.not_here[0].problems, ["gone.npz is missing; fetch it"]);
    let found = Found::of(&plan, fresh(&plan, Shard::WHOLE, 2));
    let tables = tables(&plan, 0, &found);
    let count = Count::of(&tables);
    assert_eq!((count.reproduces, count.not_here, count.run()), (1, 1, 1));
    assert_eq!(tables[0].rows[0].runs, 14);
    assert!(found.results(0, 2).is_none());
}

#[test]
fn a_job_that_fails_is_named_and_the_others_are_kept() {
    let gone = BTreeMap::from([("gone".to_owned(), Ok("digest".to_owned()))]);
    let plan = plan_with(Wanted::default(), &gone).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    let jobs: Vec<_> = plan.jobs.iter().collect();
    let error = run(&plan, &jobs, 2, &nothing(), &cache, &|_| {}).unwrap_err().to_string();
    assert!(error.starts_with("E1 `closed` units 0 to 0: "), "{error}");
    assert!(error.contains("gone.npz"), "{error}");
}

#[test]
fn experiments_are_chosen_by_name() {
    let only = |name: &str| Wanted { only: vec![name.to_owned()], ..Wanted::default() };
    assert_eq!(plan(only("e1")).experiments.len(), 1);
    let message = plan_with(only("E7"), &data()).unwrap_err().to_string();
    assert_eq!(message, "there is no experiment `E7`; there are: E1");
}

#[test]
fn mistakes_in_a_file_are_named() {
    let message = |from: &str, to: &str| {
        let text = DESK.replacen(from, to, 1);
        assert_ne!(text, DESK);
        Experiment::parse(&text, Path::new("E1.toml")).unwrap_err().to_string()
    };
    let field = message("title = \"A desk\"", "titel = \"A desk\"");
    assert!(field.starts_with("E1.toml: TOML parse error at line 3") && field.contains("titel"), "{field}");
    let method = message("\"best-expert\"", "\"best-exprt\"");
    assert!(method.starts_with("E1.toml: study `desk`: there is no method `best-exprt`"), "{method}");
    let row = message("published = [0.9], spread = [0.5]", "published = [0.9, 0.8]");
    let expected = "E1.toml: table `Accuracy`: row `majority`: `published` has 2 numbers for 1 columns; write nan where \
                    there is none";
    assert_eq!(row, expected);
    let study = message("study = \"desk\"\ncolumns", "study = \"dsk\"\ncolumns");
    assert_eq!(study, "E1.toml: table `Accuracy`: there is no study `dsk`; there are: desk, loop, closed");
    let twice = message("name = \"loop\"", "name = \"desk\"");
    assert_eq!(twice, "E1.toml: there are two studies called `desk`");
    let never = message("repetitions = 7", "repetitions = 0");
    assert_eq!(never, "E1.toml: study `desk`: `repetitions` and `quick` must be 1 or more");
    let noise = message("noise = [0.3, 0.6]", "noise = []");
    assert!(noise.ends_with("`noise` must have one or more values for clusters, and none for anything else"));
    let variant = message("published = [0.9] }", "variant-of = \"nobody\" }");
    assert!(variant.ends_with("there is no other row `nobody` in this table"), "{variant}");
}
