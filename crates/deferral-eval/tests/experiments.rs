//! Experiments on generated data: the same on any number of threads, honest about empty groups, and a model that decides
//! as the comparison did.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use deferral_core::{Context, GroupAttribute, Silent, Splitter, Stream};
use deferral_data::Records;
use deferral_eval::*;
use deferral_experts::{BiasedPanel, Moderation, ThreeClusters};
use proptest::prelude::*;

fn desk(cases: usize) -> Source {
    Source::Moderation(Moderation { cases, ..Moderation::default() })
}

fn records(cases: usize) -> Records {
    desk(cases).draw(&Panel::Recorded, &Stream::new(5)).unwrap().as_ref().clone()
}

fn experiment(source: Source, methods: &[&str]) -> Experiment {
    let quick =
        [("steps", "20"), ("hidden", "8"), ("epochs", "10")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let group = Some("dialect");
    Experiment {
        source,
        panel: Panel::Recorded,
        division: Splitter::ShuffledFolds { k: 3 }.into(),
        repetitions: 2,
        methods: methods.iter().map(|text| Method::parse(text, &quick, group).unwrap()).collect(),
        features: FeatureChoice { dim: Some(10), ..FeatureChoice::default() },
        group: group.map(str::to_owned),
        seed: 3,
    }
}

fn on_threads(threads: usize, experiment: &Experiment) -> Comparison {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| run(experiment, &|_, _| {})).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn results_do_not_depend_on_the_number_of_threads(seed in 0u64..1000, cases in 60usize..120) {
        let all: Vec<&str> = METHODS.iter().map(|method| method.name).collect();
        let experiment = Experiment { seed, ..experiment(desk(cases), &all) };
        let one = on_threads(1, &experiment);
        prop_assert_eq!(&one, &on_threads(3, &experiment));
        let other = on_threads(1, &Experiment { seed: seed + 1, ..experiment.clone() });
        prop_assert!(one.records != other.records);
    }
}

#[test]
fn a_method_does_not_depend_on_the_others_in_the_table() {
    let both = on_threads(2, &experiment(desk(120), &["joint", "random-committee", "joint:k=3"]));
    let alone = on_threads(2, &experiment(desk(120), &["joint:k=3"]));
    let last: Vec<_> = both.of(2).map(|r| (r.all, r.labels_used, r.load.clone())).collect();
    assert_eq!(last, alone.of(0).map(|r| (r.all, r.labels_used, r.load.clone())).collect::<Vec<_>>());
}

#[test]
fn a_group_without_a_case_in_a_fold_is_undefined_there_and_stays_listed() {
    let mut records = records(90);
    // All cases of one group stand at the end of the file, so that contiguous folds miss it but for the last.
    let values = (0..90).map(|case| if case < 85 { "inland" } else { "harbour" });
    records.groups = vec![GroupAttribute::from_values("dialect", values)];
    let source = Source::Table(Arc::new(records));
    let division = Splitter::ContiguousFolds { k: 3 }.into();
    let comparison =
        on_threads(1, &Experiment { division, repetitions: 1, ..experiment(source, &["majority", "balanced"]) });
    let row = &comparison.rows()[0];
    assert_eq!(comparison.groups, ["inland", "harbour"]);
    assert_eq!((row.by_group[0].unwrap().n, row.by_group[1].unwrap().n), (3, 1));
    assert_eq!(comparison.records[0].by_group[1].share(), None);
    // In a fold with one group there is nothing to compare, so nothing is claimed about a disparity.
    assert_eq!(row.disparity.unwrap().n, 1);
}

#[test]
fn cases_without_a_label_are_left_out_and_counted() {
    let mut records = records(90);
    for label in records.labels.iter_mut().take(10) {
        *label = None;
    }
    let comparison = on_threads(1, &experiment(Source::Table(Arc::new(records)), &["majority"]));
    assert_eq!(comparison.cases, (80, 10));
    assert_eq!(comparison.of(0).take(3).map(|record| record.all.n).sum::<usize>(), 80);
}

#[test]
fn a_panel_is_drawn_anew_in_each_repetition() {
    let panel = Panel::Biased { panel: BiasedPanel::against("harbour"), attribute: "dialect".into() };
    let table = Source::Table(Arc::new(records(200)));
    let division = Splitter::Random { test: 0.5 }.into();
    let experiment =
        Experiment { panel, division, repetitions: 3, ..experiment(table, &["majority", "majority:k=1,draw=top"]) };
    let comparison = on_threads(2, &experiment);
    assert_eq!((comparison.experts.len(), comparison.decisions), (20, 4000));
    let rows = comparison.rows();
    assert!(rows[0].accuracy.unwrap().mean > 0.9 && rows[0].labels_per_case == 20.0);
    assert!(rows[1].accuracy.unwrap().mean < 0.9 && rows[1].labels_per_case == 1.0);
    let of_expert_0: Vec<usize> = comparison.of(1).map(|record| record.all.right).collect();
    assert!(of_expert_0.windows(2).any(|pair| pair[0] != pair[1]));
}

#[test]
fn the_clusters_run_without_text() {
    let clusters = Source::Clusters(ThreeClusters { cases: 150 });
    let experiment = Experiment { group: Some("cluster".into()), ..experiment(clusters, &["classifier", "joint"]) };
    let comparison = on_threads(1, &experiment);
    assert_eq!(comparison.groups, ["orange", "blue", "green"]);
    assert_eq!(comparison.rows()[0].labels_per_case, 0.0);
}

#[test]
fn a_model_survives_a_file_and_decides_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.dfr");
    let records = records(150);
    let (train, test): (Vec<usize>, Vec<usize>) = (0..150).partition(|case| case % 3 > 0);
    let test = records.select(&test);
    for known in METHODS {
        let method = Method::parse(known.name, &[("steps".into(), "20".into())], Some("dialect")).unwrap();
        let mut silent = Silent;
        let mut ctx = Context::new(Stream::new(1), &mut silent);
        let features = FeatureChoice { dim: Some(10), ..FeatureChoice::default() };
        let model = Model::fit(&records.select(&train), &method, &features, &mut ctx).unwrap();
        model.save(&path).unwrap();
        let back = Model::load(&path).unwrap();
        assert_eq!((&back, back.digest().unwrap()), (&model, model.digest().unwrap()));
        let decide = |model: &Model| model.decide(&test, UnknownExperts::Refuse, &Stream::new(2)).unwrap();
        assert_eq!(decide(&back), decide(&model));
        let evaluation = evaluate(&back, &test, &decide(&back), Some("dialect")).unwrap();
        assert!(evaluation.accuracy.value().unwrap() > 0.4, "{}", known.name);
        let asked = model.allocate(&test, &Stream::new(2)).unwrap();
        assert!(asked.outcomes.iter().all(|outcome| outcome.labels_used == 0));
    }
}

#[test]
fn prices_are_paid_and_make_dear_experts_rarer() {
    let records = records(300);
    let everybody = records.experts.len();
    let dear: Vec<f64> = (0..everybody).map(|j| if j % 2 == 0 { 10.0 } else { 1.0 }).collect();
    let records = Records { prices: Some(dear), ..records };
    let priced = experiment(Source::Table(Arc::new(records)), &["joint:steps=300", "joint:steps=300,lambda=0.05"]);
    let comparison = on_threads(2, &priced);
    let weight_of_dear = |method: usize| {
        let Some(record) = comparison.of(method).next() else { panic!("no record") };
        let sum = |odd: usize| (0..everybody).filter(|j| j % 2 == odd).map(|j| record.experts[j].weight).sum::<f64>();
        sum(0) / (sum(0) + sum(1))
    };
    assert!(weight_of_dear(1) < weight_of_dear(0) - 0.05, "{} {}", weight_of_dear(1), weight_of_dear(0));
    assert!(comparison.rows()[0].cost_per_case > 2.0 * comparison.rows()[0].labels_per_case);
}
