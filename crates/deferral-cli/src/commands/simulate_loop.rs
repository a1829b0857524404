//! `deferral simulate closed-loop`: the published experiments of the closed loop, and what happens when teams change.

use std::path::Path;

use deferral_core::files::write_atomically;
use deferral_data::text::WordVectors;
use deferral_data::{MissingRating, read_rater_pools};
use deferral_eval::closed_loop::{
    Change, ChangePlan, ClosedLoopPlan, Draws, LoopData, LoopMethod, NoiseSweep, World, allocated, loop_method,
    noise_grid,
};
use deferral_experts::{OwnClusters, RaterPools};

use super::Globals;
use crate::args::{ChangeKind, LoopDraws, LoopWorld, SimulateLoop};
use crate::failure::Failure;
use crate::{output, render};

/// What is compared if nothing is asked for.
const CHOICE: &[&str] =
    &["latent", "smooth", "strict", "no-prior", "goel-faltings", "epsilon-first", "majority", "dawid-skene", "random"];
/// The same on the rater pools, where the baselines have other published numbers.
const CHOICE_OF_RATERS: &[&str] = &[
    "latent:k=7",
    "smooth-text:k=7,rate=0.25,batch=1000,prior-tasks=1e6",
    "strict-text:k=7,rate=0.25,batch=1000",
    "no-prior-text:k=7,rate=0.25,batch=1000",
    "goel-faltings:batch=1000",
    "epsilon-first:capacity=25",
    "majority",
    "dawid-skene",
    "random",
];
/// How little the prior says if nothing is said of it.
const NOISE: f64 = 0.3;
/// What is compared where it must be an allocator.
const ALLOCATORS: &[&str] = &["latent", "smooth", "smooth-text"];

pub(crate) fn run(args: &SimulateLoop, globals: Globals) -> Result<(), Failure> {
    check_data(args)?;
    if let Some(change) = args.change {
        return run_change(args, change, globals);
    }
    if let Some(out) = &args.out {
        Figure::of(out)?;
        output::check(out)?;
    }
    let methods = methods(args)?;
    let plan = plan(args, globals)?;
    if let Some(points) = args.sweep {
        return sweep(&plan, &methods, points, args.out.as_deref(), globals);
    }
    let report = plan.run(&methods)?;
    if globals.json {
        return Ok(render::print_json(&report)?);
    }
    Ok(render::print(&render::table(&report.table()))?)
}

fn sweep(
    plan: &ClosedLoopPlan,
    methods: &[Box<dyn LoopMethod>],
    points: usize,
    out: Option<&Path>,
    globals: Globals,
) -> Result<(), Failure> {
    let sweep = plan.sweep_noise(&noise_grid(points), methods, &|_| {})?;
    if let Some(out) = out {
        write_figure(&sweep, out)?;
    }
    if globals.json {
        return Ok(render::print_json(&sweep)?);
    }
    Ok(render::print(&render::table(&sweep.table()))?)
}

/// Options that say something about clusters say nothing about comments.
fn check_data(args: &SimulateLoop) -> Result<(), Failure> {
    let of_clusters = [
        ("--noise", args.noise.is_some()),
        ("--wrong-prior", args.wrong_prior),
        ("--per-cluster", args.per_cluster.is_some()),
        ("--sweep", args.sweep.is_some()),
        ("--change", args.change.is_some()),
    ];
    match of_clusters.iter().find(|(_, is_said)| *is_said) {
        Some((option, _)) if has_raters(args) => {
            Err(Failure::usage(format!("{option} is about clusters: leave it out, or the data of raters")))
        }
        _ if args.sweep == Some(0) => Err(Failure::usage("--sweep is 0, but must be 1 or more")),
        _ => Ok(()),
    }
}

fn has_raters(args: &SimulateLoop) -> bool {
    args.data == LoopWorld::Raters || args.ratings.is_some()
}

fn methods(args: &SimulateLoop) -> Result<Vec<Box<dyn LoopMethod>>, Failure> {
    let choice = if has_raters(args) { CHOICE_OF_RATERS } else { CHOICE };
    let names: Vec<&str> =
        if args.method.is_empty() { choice.to_vec() } else { args.method.iter().map(String::as_str).collect() };
    Ok(names.into_iter().map(loop_method).collect::<Result<_, _>>()?)
}

fn plan(args: &SimulateLoop, globals: Globals) -> Result<ClosedLoopPlan, Failure> {
    let (world, published) = match (&args.ratings, &args.comments, args.data) {
        (Some(ratings), Some(comments), _) => (published_ratings(args, ratings, comments)?, 25),
        (_, _, LoopWorld::Clusters) => {
            let (clusters, rotation) = (clusters(args), usize::from(args.wrong_prior));
            (World::Clusters { clusters, noise: args.noise.unwrap_or(NOISE), rotation }, 50)
        }
        (_, _, LoopWorld::Raters) => {
            let pools = RaterPools::default();
            (World::Pools(RaterPools { comments: args.cases.unwrap_or(pools.comments), ..pools }), 25)
        }
    };
    let draws = if args.draws == LoopDraws::Fixed { Draws::Fixed } else { Draws::Fresh };
    let trials = args.trials.unwrap_or(published);
    let (test, groups_at_test) = (args.test, args.groups_at_test);
    Ok(ClosedLoopPlan { draws, trials, test, groups_at_test, seed: globals.seed, ..ClosedLoopPlan::of(world) })
}

/// The ratings that were published, with what reading them came to as a note.
fn published_ratings(args: &SimulateLoop, ratings: &Path, comments: &Path) -> Result<World, Failure> {
    let missing = if args.missing_is_none { MissingRating::Zero } else { MissingRating::NoVote };
    let pools = read_rater_pools(ratings, comments, missing)?;
    render::note(&pools.report.to_string());
    let vectors = args.vectors.as_deref().map(WordVectors::read).transpose().map_err(Failure::input)?;
    Ok(World::Given(LoopData::of_rater_pools(pools, vectors.as_ref())?.into()))
}

fn clusters(args: &SimulateLoop) -> OwnClusters {
    let published = OwnClusters::default();
    OwnClusters {
        cases: args.cases.unwrap_or(published.cases),
        per_cluster: args.per_cluster.unwrap_or(published.per_cluster),
        ..published
    }
}

fn run_change(args: &SimulateLoop, kind: ChangeKind, globals: Globals) -> Result<(), Failure> {
    let change = match kind {
        ChangeKind::Joins => Change::Joins,
        ChangeKind::Leaves => Change::Leaves { annotator: 0 },
        ChangeKind::Drifts => Change::Drifts { annotator: 0, own: 0.5, elsewhere: 0.5 },
        ChangeKind::Swap => Change::Swap { first: 0, second: 1 },
    };
    let usual = ChangePlan::of(change);
    let per_cluster = args.per_cluster.unwrap_or(usual.clusters.per_cluster);
    let plan = ChangePlan {
        clusters: OwnClusters { per_cluster, ..usual.clusters },
        noise: args.noise.unwrap_or(NOISE),
        before: args.before,
        trials: args.trials.unwrap_or(usual.trials),
        seed: globals.seed,
        ..usual
    };
    let names: Vec<&str> =
        if args.method.is_empty() { ALLOCATORS.to_vec() } else { args.method.iter().map(String::as_str).collect() };
    let mut reports = Vec::with_capacity(names.len());
    for name in names {
        let method = deferral_allocation::Method::parse(name).map_err(Failure::input)?;
        reports.push(plan.run(&allocated(name, method))?);
    }
    if globals.json {
        return Ok(render::print_json(&reports)?);
    }
    let mut tables = reports.iter().map(deferral_eval::closed_loop::ChangeReport::table);
    let Some(mut table) = tables.next() else { return Ok(()) };
    table.rows.extend(tables.flat_map(|table| table.rows));
    Ok(render::print(&render::table(&table))?)
}

/// How the figure of a sweep is written.
enum Figure {
    Svg,
    Html,
}

impl Figure {
    /// What the name of the file says.
    fn of(out: &Path) -> Result<Self, Failure> {
        match out.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => Ok(Self::Svg),
            Some("html") => Ok(Self::Html),
            _ => Err(Failure::usage(format!("--out is {}, but must end in .svg or .html", out.display()))),
        }
    }
}

fn write_figure(sweep: &NoiseSweep, out: &Path) -> Result<(), Failure> {
    let text = match Figure::of(out)? {
        Figure::Svg => sweep.svg()?,
        Figure::Html => sweep.html("Accuracy against the noise of the prior", &[])?,
    };
    Ok(write_atomically(out, |file| file.write_all(text.as_bytes()))?)
}
