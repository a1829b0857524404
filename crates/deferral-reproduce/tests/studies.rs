//! What the kinds of studies measure, and that their units can be run apart.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use deferral_reproduce::catalogue::Catalogue;
use deferral_reproduce::data::Data;
use deferral_reproduce::experiment::{Experiment, Statistic};
use deferral_reproduce::sample::{Results, Sample};
use deferral_reproduce::studies::Study;

/// An experiment with one study whose `run` is this.
fn parsed(run: &str) -> Result<Study, String> {
    let text = format!(
        "id = \"E0\"\ntitle = \"\"\npaper = \"\"\nplace = \"\"\ntext = \"\"\n[[study]]\nname = \"s\"\nrepetitions = 3\n{run}"
    );
    let parsed = Experiment::parse(&text, "E0.toml".as_ref());
    parsed.map(|mut experiment| experiment.studies.remove(0)).map_err(|error| error.to_string())
}

fn study(run: &str) -> Study {
    parsed(run).unwrap()
}

fn data_in(folder: &Path) -> Data {
    Data::new(folder, &Catalogue { sets: Vec::new() })
}

fn nowhere() -> Data {
    data_in(Path::new("nowhere"))
}

/// As the runner does it: the order of the jobs does not matter.
fn results(study: &Study, data: &Data) -> Results {
    let together = study.run(0..3, 1, data).unwrap();
    let apart: Vec<Sample> = [0..1, 1..3].into_iter().flat_map(|units| study.run(units, 1, data).unwrap()).collect();
    // By their text, as what does not exist is unlike itself.
    assert_eq!(format!("{together:?}"), format!("{apart:?}"));
    assert_eq!(study.units(3), 3);
    let results = Results::of(together);
    assert_eq!(results.methods(), study.all_methods().unwrap());
    results
}

fn mean(results: &Results, method: &str, measure: &str) -> f64 {
    results.statistic(method, measure, Statistic::Mean).unwrap_or_else(|| panic!("no {measure} of {method}"))
}

const MAJORITY: &str = "biased-majority = { people = 10, biased = 7, gamma = 0.5 }";

fn theory(setting: &str) -> String {
    format!("[study.run.theory]\ndraws = 400\n[[study.run.theory.setting]]\nname = \"x\"\n{setting}")
}

#[test]
fn a_biased_majority_has_the_gap_that_was_worked_out() {
    let study = study(&theory(&format!("people.{MAJORITY}\ngroups = [0, 1]\ntasks = 4")));
    let found = results(&study, &nowhere());
    let near = |measure, expected: f64, by| {
        let found = mean(&found, "x", measure);
        assert!((found - expected).abs() < by, "{measure}: {found}");
    };
    // A half of the share of those who toss a coin is wrong: of .35 in .65 on group 0, of .15 in .85 on group 1.
    near("expected-accuracy/0", 1.0 - 0.175 / 0.65, 1e-9);
    near("expected-accuracy/1", 1.0 - 0.075 / 0.85, 1e-9);
    near("gap-before", 0.180_995, 1e-6);
    near("bound/least-gap-printed", 0.25, 1e-12);
    near("bound/least-gap", 0.4 / 2.25, 1e-12);
    near("bound/most-gap", 7.0 / 12.0, 1e-9);
    near("bound/prior-free-gap", 0.2, 1e-9);
    near("accuracy/0", 1.0 - 0.175 / 0.65, 0.05);
    near("accuracy/1", 1.0 - 0.075 / 0.85, 0.05);
    near("gap-after", 0.180_995, 0.01);
    assert_eq!(found.runs("x"), 3);
}

#[test]
fn a_leader_gains_by_their_lead_whoever_is_right() {
    let study = study(&theory(
        "people.weighted = { weights = [0.7, 0.15, 0.15], accuracy = [0.2, 0.9, 0.9] }\nrule = { reward = 0.001 }",
    ));
    let found = results(&study, &nowhere());
    for (measure, expected) in [("lead", 0.55), ("weight", 0.7), ("expected-gain", 0.55), ("bound/twice-lead", 1.1)] {
        assert!((mean(&found, "x", measure) - expected).abs() < 1e-9, "{measure}");
    }
    assert!((mean(&found, "x", "gain") - 0.55).abs() < 0.1);
    assert_eq!(found.statistic("x", "gap-after", Statistic::Mean), None, "there is one group");
}

#[test]
fn thresholds_are_those_of_so_many_seats() {
    let five = "weighted = { weights = [0.2, 0.2, 0.2, 0.2, 0.2], accuracy = [1.0, 1.0, 1.0, 1.0, 1.0] }";
    let found = results(&study(&theory(&format!("people.{five}\nrule = {{ k = 3 }}"))), &nowhere());
    assert!((mean(&found, "x", "bound/discovery-printed") - 0.112_096).abs() < 1e-6);
    assert!((mean(&found, "x", "bound/discovery") - 0.263_194).abs() < 1e-6);
    assert_eq!(mean(&found, "x", "accuracy/0"), 1.0);
}

#[test]
fn what_is_wrong_with_a_setting_is_said() {
    let wrong = |setting: &str| parsed(&theory(setting)).unwrap_err();
    let said = |setting: &str, expected: &str| {
        let message = wrong(setting);
        assert_eq!(message, format!("E0.toml: study `s`: setting `x`: {expected}"));
    };
    said("people.weighted = { weights = [1.0], accuracy = [1.0, 0.5] }", "there are 1 weights for 2 accuracies");
    said(
        "people.weighted = { weights = [0.5, 0.5], accuracy = [1.0, 1.5] }",
        "the accuracy of a person is 1.5, but must be a number from 0 to 1",
    );
    said(&format!("people.{MAJORITY}\ngroups = [2]"), "there is no group 2; there are 2, from 0 on");
    said(&format!("people.{MAJORITY}\ntasks = 0"), "there must be 1 or more `tasks` and one or more `groups`");
    said(
        &format!("people.{MAJORITY}\nrule = {{ reward = 0.0 }}"),
        "the reward delta is 0, but must be above 0 and at most 1",
    );
    let twice = format!("people.{MAJORITY}\n[[study.run.theory.setting]]\nname = \"x\"\npeople.{MAJORITY}");
    assert_eq!(wrong(&twice), "E0.toml: study `s`: there are two settings called `x`");
    let none = parsed("[study.run.theory]\nsetting = []").unwrap_err();
    assert_eq!(none, "E0.toml: study `s`: there must be 1 or more `draws` and one or more settings");
}

fn transfer(known: &str, lambdas: &str) -> String {
    format!(
        "[study.run.transfer]\ntasks = {{ cases = 200, age_bias = 0.15 }}\ntest = 500\nsteps = 60\nknown = \"{known}\"\n\
         lambdas = {lambdas}"
    )
}

#[test]
fn what_is_learned_beside_another_task_is_measured_beside_learning_without_fairness() {
    let found = results(&study(&transfer("auxiliary", "[100, 0.5]")), &nowhere());
    assert_eq!(found.methods(), ["none", "alone", "alone-fair", "lambda=100", "lambda=0.5"]);
    let values = |method: &str, measure: &str| found.values(method, measure);
    for method in found.methods() {
        let pairs = values("none", "accuracy").into_iter().zip(values(method, "accuracy"));
        let lost: Vec<f64> = pairs.map(|(base, own)| base - own).collect();
        assert_eq!(values(method, "accuracy-lost"), lost);
        assert!(values(method, "accuracy").iter().all(|accuracy| (0.5..1.0).contains(accuracy)), "{method}");
        assert!(values(method, "epsilon").iter().all(|epsilon| *epsilon > 0.0), "{method}");
    }
    assert_eq!(values("none", "epsilon-kept"), [1.0; 3]);
    assert_ne!(values("lambda=100", "epsilon"), values("none", "epsilon"));
    let kept = values("lambda=100", "epsilon")[1] / values("none", "epsilon")[1];
    assert_eq!(values("lambda=100", "epsilon-kept")[1], kept);
}

#[test]
fn crossed_groups_have_no_single_task_that_knows_them() {
    let found = results(&study(&transfer("one-each", "[10]")), &nowhere());
    assert_eq!(found.methods(), ["none", "alone", "lambda=10"]);
    // Four groups are further apart than any two of them.
    let by_gender = results(&study(&transfer("auxiliary", "[10]")), &nowhere());
    let epsilons = |found: &Results| found.values("alone", "epsilon");
    assert!(epsilons(&found).iter().zip(epsilons(&by_gender)).all(|(crossed, one)| *crossed > one));
}

#[test]
fn what_is_wrong_with_a_transfer_is_said() {
    let wrong = |run: &str| parsed(run).unwrap_err();
    for lambda in ["0.0", "-1.0", "inf"] {
        let message = wrong(&transfer("auxiliary", &format!("[{lambda}]")));
        let shown = lambda.trim_end_matches(".0");
        let expected = "but must be finite and above 0; `none` is always there";
        assert_eq!(message, format!("E0.toml: study `s`: a lambda is {shown}, {expected}"));
    }
    let test = transfer("auxiliary", "[1]").replace("test = 500", "test = 0");
    assert_eq!(wrong(&test), "E0.toml: study `s`: `test` and `steps` must be 1 or more");
    let bias = wrong(&transfer("auxiliary", "[1]").replace("0.15", "0.7"));
    assert!(bias.starts_with("E0.toml: study `s`: ") && bias.contains("bias"), "{bias}");
    let cases = wrong(&transfer("auxiliary", "[1]").replace("cases = 200", "cases = 0"));
    assert!(cases.contains("0, but must be"), "{cases}");
}

/// Sixty comments in the published layout; everybody sees attacks on their own group only.
fn write_ratings(folder: &Path) {
    let mut ratings = "id,unique_contributor_id,identity_attack,comment_text,rater_group\n".to_owned();
    let mut comments = "id,comment_text,identity_attack,transgender,other_gender,homosexual_gay_or_lesbian,bisexual,\
                        other_sexual_orientation,black\n"
        .to_owned();
    for comment in 0..60 {
        let (is_attack, on_lgbtq) = (comment % 3 == 0, comment % 2 == 0);
        let word = if is_attack { "bad" } else { "good" };
        let number = |is_so: bool| f64::from(u8::from(is_so));
        let (attack, lgbtq, black) = (number(is_attack), number(on_lgbtq), number(!on_lgbtq));
        writeln!(comments, "{comment},{word} words,{attack},0,0,{lgbtq},0,0,{black}").unwrap();
        for (rater, pool) in ["LGBTQ", "African American", "Control"].iter().enumerate() {
            let sees = is_attack && rater == usize::from(!on_lgbtq);
            writeln!(ratings, "{comment},{rater},{},{word} words,{pool}", if sees { -1.0 } else { 1.0 }).unwrap();
        }
    }
    fs::create_dir(folder.join("toxicity")).unwrap();
    for (name, text) in [("ratings.csv", &*ratings), ("train.csv", &comments), ("words.txt", "good 1 0\nbad 0 1\n")] {
        fs::write(folder.join("toxicity").join(name), text).unwrap();
    }
}

const RATINGS: &str = r#"
[study.run.closed-loop]
world.ratings = { ratings = "toxicity/ratings.csv", comments = "toxicity/train.csv", vectors = "toxicity/words.txt" }
groups-at-test = true
methods = ["latent:k=1", "random", "majority"]
"#;

#[test]
fn published_ratings_run_through_the_loop() {
    let folder = tempfile::tempdir().unwrap();
    write_ratings(folder.path());
    let study = study(RATINGS);
    let data = data_in(folder.path());
    study.load(&data).unwrap();
    // They are read once: units find them also when the files are gone.
    fs::remove_dir_all(folder.path().join("toxicity")).unwrap();
    let found = results(&study, &data);
    for measure in ["auc/objective", "auc/subjective", "label/subjective", "assignment"] {
        assert_eq!(mean(&found, "latent:k=1", measure), 1.0, "{measure}");
    }
    assert_eq!(found.runs("random"), 3);
    // One of three sees an attack, and two do not.
    assert_eq!(mean(&found, "majority", "auc/objective"), 0.5);
}

#[test]
fn ratings_that_are_not_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let message = study(RATINGS).load(&data_in(folder.path())).unwrap_err().to_string();
    assert!(message.contains("words.txt"), "{message}");
    write_ratings(folder.path());
    fs::remove_file(folder.path().join("toxicity/train.csv")).unwrap();
    let message = study(RATINGS).load(&data_in(folder.path())).unwrap_err().to_string();
    assert!(message.contains("train.csv"), "{message}");
    let noise = parsed(&RATINGS.replace("groups-at-test", "noise = [0.3]\ngroups-at-test")).unwrap_err();
    let expected = "`noise` must have one or more values for clusters, and none for anything else";
    assert_eq!(noise, format!("E0.toml: study `s`: {expected}"));
}
