//! What a paper says without numbers, as something that can be checked.

use deferral_metrics::{Tradeoff as Place, hypervolume, median, pareto_front, spearman};
use serde::{Deserialize, Serialize};

use crate::experiment::{Experiment, Statistic};
use crate::plan::Plan;
use crate::runner::Found;
use crate::sample::Results;
use crate::verdict::Outcome;

/// A claim.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Claim {
    /// What is claimed.
    pub text: String,
    /// Where in the paper, if not where the experiment is.
    #[serde(default)]
    pub place: String,
    /// The study that it is checked on.
    pub study: String,
    /// How.
    pub check: Check,
    /// Why it does not hold, if it does not.
    pub differs: Option<String>,
}

/// How a claim is checked.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Check {
    /// One figure is larger than another, by more than `by`.
    Larger {
        /// The larger one.
        of: Figure,
        /// The smaller one.
        than: Figure,
        /// By how much more than nothing.
        #[serde(default)]
        by: f64,
    },
    /// Two figures are no further apart than `by`.
    Alike {
        /// One.
        of: Figure,
        /// The other.
        and: Figure,
        /// How far at most.
        by: f64,
    },
    /// A figure is within bounds, which belong to them.
    Within {
        /// The figure.
        of: Figure,
        /// The lower bound.
        #[serde(default = "lowest")]
        from: f64,
        /// The upper bound.
        #[serde(default = "highest")]
        to: f64,
    },
    /// A measure never rises along methods, but for `slack`.
    Falling {
        /// The methods, in order.
        along: Vec<String>,
        /// The measure.
        measure: String,
        /// What a step may rise.
        #[serde(default)]
        slack: f64,
    },
    /// At least this share of a family's runs have less than `below` of a measure.
    MostRuns {
        /// The family: all methods with this name.
        family: String,
        /// The measure.
        measure: String,
        /// Less than this.
        below: f64,
        /// The share.
        share: f64,
    },
    /// The front of a family of error against disparate impact dominates that of another: the area below it is larger, and
    /// nowhere is its error larger by more than `slack` at the same impact.
    Dominates {
        /// The family that should be ahead.
        front: String,
        /// The other.
        over: String,
        /// What it may be behind.
        #[serde(default)]
        slack: f64,
    },
    /// The areas of the fronts of two families differ by at most `by`.
    FrontsAlike {
        /// One family.
        front: String,
        /// The other.
        and: String,
        /// At most.
        by: f64,
    },
    /// Of methods in order, the first whose measure is at least that of another less `within`, stands between two.
    FirstToReach {
        /// The methods, in order.
        along: Vec<String>,
        /// The measure.
        measure: String,
        /// What is to be reached.
        goal: String,
        /// Less this.
        #[serde(default)]
        within: f64,
        /// The first that may be it.
        from: String,
        /// The last that may be it.
        to: String,
    },
    /// The weights of experts rise with a property of theirs: Spearman's rank correlation is at least `least`.
    WeightsFollow {
        /// The method.
        method: String,
        /// The property: `accuracy` or `accuracy/GROUP`.
        property: String,
        /// The least correlation.
        least: f64,
    },
    /// No expert has more than this share of the experts' weight.
    NoExpertDominates {
        /// The method.
        method: String,
        /// The share.
        most: f64,
    },
}

fn lowest() -> f64 {
    f64::NEG_INFINITY
}

fn highest() -> f64 {
    f64::INFINITY
}

/// A figure of a study.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Figure {
    /// The study, if it is not that of the claim.
    pub study: Option<String>,
    /// The method; empty where there is none.
    #[serde(default)]
    pub method: String,
    /// The measure.
    pub measure: String,
    /// What is taken of it.
    #[serde(default)]
    pub statistic: Statistic,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// The claim.
    pub claim: Claim,
    /// Whether it holds.
    pub outcome: Outcome,
    /// The figures that say so, in words.
    pub measured: String,
}

impl Claim {
    /// The studies that its figures are from.
    fn studies(&self) -> impl Iterator<Item = &String> {
        let others = match &self.check {
            Check::Larger { of, than: other, .. } | Check::Alike { of, and: other, .. } => vec![of, other],
            Check::Within { of, .. } => vec![of],
            _ => Vec::new(),
        };
        std::iter::once(&self.study).chain(others.into_iter().filter_map(|figure| figure.study.as_ref()))
    }

    pub(crate) fn check(&self, experiment: &Experiment) -> Result<(), String> {
        self.studies().try_for_each(|study| experiment.known(study))
    }
}

/// What came of the claims of an experiment of a plan.
pub fn checked(plan: &Plan, at: usize, found: &Found) -> Vec<Checked> {
    let experiment = &plan.experiments[at];
    let results = |study: &str| {
        let position = experiment.studies.iter().position(|other| other.name == study)?;
        found.results(at, position)
    };
    let check = |claim: &Claim| {
        let own = results(&claim.study);
        let verdict = own.and_then(|own| {
            let look = Look { own, results: &results };
            look.at(&claim.check)
        });
        let (outcome, measured) = match verdict {
            None if claim.studies().any(|study| results(study).is_none()) => {
                (Outcome::NotHere, "not measured".to_owned())
            }
            // The studies were run and have no such figure: a slip in the file.
            None => (Outcome::Unexplained, "no study has these figures".to_owned()),
            Some((true, measured)) => (Outcome::Reproduces, measured),
            Some((false, measured)) if claim.differs.is_some() => (Outcome::Differs, measured),
            Some((false, measured)) => (Outcome::Unexplained, measured),
        };
        Checked { claim: claim.clone(), outcome, measured }
    };
    experiment.claims.iter().map(check).collect()
}

/// Where a claim is checked.
struct Look<'a> {
    own: &'a Results,
    results: &'a dyn Fn(&str) -> Option<&'a Results>,
}

/// Whether it holds, and the figures; none if they were not measured.
type Verdict = Option<(bool, String)>;

impl Look<'_> {
    fn at(&self, check: &Check) -> Verdict {
        match check {
            Check::Larger { of, than, by } => {
                let (a, b) = (self.figure(of)?, self.figure(than)?);
                Some((a > b + by, format!("{} against {}", short(a), short(b))))
            }
            Check::Alike { of, and, by } => {
                let (a, b) = (self.figure(of)?, self.figure(and)?);
                Some(((a - b).abs() <= *by, format!("{} and {}", short(a), short(b))))
            }
            Check::Within { of, from, to } => {
                let value = self.figure(of)?;
                Some(((*from..=*to).contains(&value), short(value)))
            }
            Check::Falling { along, measure, slack } => self.falling(along, measure, *slack),
            Check::MostRuns { family, measure, below, share } => self.most_runs(family, measure, *below, *share),
            Check::Dominates { front, over, slack } => self.dominates(front, over, *slack),
            Check::FrontsAlike { front, and, by } => {
                let (a, b) = areas(&self.front(front)?, &self.front(and)?);
                Some(((a - b).abs() <= *by, format!("areas {a:.4} and {b:.4}")))
            }
            Check::FirstToReach { along, measure, goal, within, from, to } => {
                let place = |name: &String| along.iter().position(|method| method == name);
                let goal = self.mean(goal, measure)? - within;
                let reached = |method: &&String| self.mean(method, measure).is_some_and(|value| value >= goal);
                let first = along.iter().find(reached);
                let holds = first.and_then(place).is_some_and(|at| place(from) <= Some(at) && Some(at) <= place(to));
                let named = first.map_or("none", String::as_str);
                Some((holds, format!("the first to reach {} is {named}", short(goal))))
            }
            Check::WeightsFollow { method, property, least } => {
                let pairs = experts(self.own, method, property);
                let (weights, properties): (Vec<f64>, Vec<f64>) = pairs.into_iter().map(|(_, p, w)| (w, p)).unzip();
                let rank = spearman(&weights, &properties).ok()?.value()?;
                Some((rank >= *least, format!("rank correlation {}", short(rank))))
            }
            Check::NoExpertDominates { method, most } => {
                let weights: Vec<f64> = experts(self.own, method, "accuracy").into_iter().map(|(.., w)| w).collect();
                let largest = weights.iter().copied().reduce(f64::max)? / weights.iter().sum::<f64>();
                Some((largest <= *most, format!("the largest share is {}", short(largest))))
            }
        }
    }

    fn figure(&self, figure: &Figure) -> Option<f64> {
        let results = match &figure.study {
            Some(study) => (self.results)(study)?,
            None => self.own,
        };
        results.statistic(&figure.method, &figure.measure, figure.statistic)
    }

    fn mean(&self, method: &str, measure: &str) -> Option<f64> {
        self.own.statistic(method, measure, Statistic::Mean)
    }

    fn falling(&self, along: &[String], measure: &str, slack: f64) -> Verdict {
        let values: Vec<f64> = along.iter().map(|method| self.mean(method, measure)).collect::<Option<_>>()?;
        let holds = values.windows(2).all(|pair| pair[1] <= pair[0] + slack);
        let texts: Vec<String> = values.into_iter().map(short).collect();
        Some((holds, texts.join(", ")))
    }

    fn most_runs(&self, family: &str, measure: &str, below: f64, share: f64) -> Verdict {
        let values: Vec<f64> = self.own.family(family).flat_map(|method| self.own.values(method, measure)).collect();
        let less = values.iter().filter(|value| **value < below).count();
        let found = less as f64 / values.len() as f64;
        (!values.is_empty()).then(|| (found >= share, format!("{less} of {} runs, {}", values.len(), short(found))))
    }

    fn dominates(&self, front: &str, over: &str, slack: f64) -> Verdict {
        let (ahead, behind) = (self.front(front)?, self.front(over)?);
        let (a, b) = areas(&ahead, &behind);
        let error_at = |impact: f64| {
            let within = ahead.iter().filter(|place| place.disparity <= impact);
            within.map(|place| place.error).reduce(f64::min)
        };
        let worst = behind.iter().filter_map(|place| Some(error_at(place.disparity)? - place.error));
        let worst = worst.fold(f64::NEG_INFINITY, f64::max);
        let covered = behind.iter().all(|place| error_at(place.disparity).is_some());
        Some((a > b && covered && worst <= slack, format!("areas {a:.4} and {b:.4}; at worst {worst:.4} behind")))
    }

    fn front(&self, family: &str) -> Option<Vec<Place>> {
        let front = front(self.own, family);
        (!front.is_empty()).then(|| front.into_iter().map(|(_, place)| place).collect())
    }
}

/// The areas of two fronts up to the largest error and impact on either.
fn areas(one: &[Place], other: &[Place]) -> (f64, f64) {
    let most = |of: fn(&Place) -> f64| one.iter().chain(other).map(of).fold(0.0, f64::max);
    let reference = Place::new(most(|place| place.error), most(|place| place.disparity));
    (hypervolume(one, reference), hypervolume(other, reference))
}

/// The methods of a family that no other of it beats in median error and disparate impact, and where they are: chosen on
/// the validation part where there is one, and reported on the test part, by rising impact as chosen.
pub(crate) fn front(results: &Results, family: &str) -> Vec<(String, Place)> {
    let methods: Vec<&String> = results.family(family).collect();
    let place = |method: &str, error: &str, impact: &str| {
        let of = |measure: &str| median(&results.values(method, measure));
        Some(Place::new(of(error)?, of(impact)?))
    };
    let tested = |method: &str| place(method, "error", "impact");
    let chosen = |method: &str| place(method, "validation-error", "validation-impact").or_else(|| tested(method));
    let known: Vec<(&String, Place, Place)> =
        methods.into_iter().filter_map(|method| Some((method, chosen(method)?, tested(method)?))).collect();
    let places: Vec<Place> = known.iter().map(|(_, chosen, _)| *chosen).collect();
    let mut front = pareto_front(&places);
    front.sort_by(|&a, &b| places[a].disparity.total_cmp(&places[b].disparity));
    front.into_iter().map(|at| (known[at].0.clone(), known[at].2)).collect()
}

/// The experts of the first run: name, property and weight.
pub(crate) fn experts(results: &Results, method: &str, property: &str) -> Vec<(String, f64, f64)> {
    let (whole, group) = property.split_once('/').map_or((property, None), |(whole, group)| (whole, Some(group)));
    let weights = results.measures(method, "weight/").filter(|name| *name != "model");
    let of = |name: &str| {
        let group = group.map_or_else(String::new, |group| format!("/{group}"));
        let property = results.statistic("", &format!("expert-{whole}/{name}{group}"), Statistic::Mean)?;
        let weight = results.statistic(method, &format!("weight/{name}"), Statistic::Mean)?;
        Some((name.to_owned(), property, weight))
    };
    weights.filter_map(of).collect()
}

/// Three digits without a leading zero.
pub(crate) fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    match text.strip_prefix("0.") {
        Some(rest) => format!(".{rest}"),
        None => text.replacen("-0.", "-.", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    /// Two families of three settings: error, disparate impact and how often they ask; and three experts.
    fn results() -> Results {
        let mut samples = Vec::new();
        let mut add = |method: &str, figures: &[(&str, f64)]| {
            samples.extend(figures.iter().map(|(measure, value)| Sample::new(method, *measure, 0, *value)));
        };
        let traded = [("defer", [0.25, 0.24, 0.23]), ("reject", [0.29, 0.27, 0.25])];
        for (family, errors) in traded {
            for (at, error) in errors.into_iter().enumerate() {
                let (impact, asked) = (0.02 * (at + 1) as f64, 0.1 * (at + 1) as f64);
                let method = format!("{family}:alpha={at}");
                add(&method, &[("error", error), ("impact", impact), ("asked", asked), ("accuracy", 1.0 - error)]);
            }
        }
        let weights = [("a", 0.2, 0.6), ("b", 0.3, 0.7), ("c", 0.5, 0.9)];
        for (name, weight, accuracy) in weights {
            add("joint", &[(&format!("weight/{name}"), weight), ("weight/model", 9.0)]);
            add("", &[(&format!("expert-accuracy/{name}"), accuracy)]);
        }
        Results::of(samples).listing(&["defer".to_owned(), "reject".to_owned()])
    }

    fn verdict(check: &str) -> Verdict {
        let claim: Claim = toml::from_str(&format!("text = \"\"\nstudy = \"own\"\ncheck.{check}")).unwrap();
        let own = results();
        Look { own: &own, results: &|_| None }.at(&claim.check)
    }

    fn holds(check: &str) -> bool {
        verdict(check).unwrap().0
    }

    #[test]
    fn figures_are_compared() {
        let figures = |by: f64| {
            let of = |method: &str| format!("{{ method = \"{method}\", measure = \"error\" }}");
            format!("{{ of = {}, than = {}, by = {by} }}", of("reject:alpha=0"), of("defer:alpha=0"))
        };
        assert!(holds(&format!("larger = {}", figures(0.03))) && !holds(&format!("larger = {}", figures(0.05))));
        let alike = |by: f64| format!("alike = {}", figures(by).replace("than", "and"));
        assert!(holds(&alike(0.05)) && !holds(&alike(0.03)));
        let within =
            |bounds: &str| format!("within = {{ of = {{ method = \"joint\", measure = \"weight/a\" }}, {bounds} }}");
        assert!(holds(&within("from = 0.1, to = 0.2")) && !holds(&within("from = 0.21")));
    }

    #[test]
    fn orders_are_checked() {
        let along = |measure: &str, slack: f64| {
            let methods = "[\"defer:alpha=0\", \"defer:alpha=1\", \"defer:alpha=2\"]";
            format!("falling = {{ along = {methods}, measure = \"{measure}\", slack = {slack} }}")
        };
        assert!(holds(&along("error", 0.0)));
        assert!(!holds(&along("asked", 0.05)) && holds(&along("asked", 0.11)));
        let first = |from: &str, to: &str| {
            let methods = "[\"reject:alpha=0\", \"reject:alpha=1\", \"reject:alpha=2\"]";
            let ends = format!("from = \"reject:alpha={from}\", to = \"reject:alpha={to}\"");
            format!(
                "first-to-reach = {{ along = {methods}, measure = \"accuracy\", goal = \"defer:alpha=0\", {ends} }}"
            )
        };
        assert!(holds(&first("1", "2")) && !holds(&first("0", "1")));
        let most = |share: f64| {
            format!("most-runs = {{ family = \"defer\", measure = \"asked\", below = 0.25, share = {share} }}")
        };
        assert!(holds(&most(0.6)) && !holds(&most(0.7)));
    }

    #[test]
    fn fronts_are_compared() {
        assert!(holds("dominates = { front = \"defer\", over = \"reject\" }"));
        assert!(!holds("dominates = { front = \"reject\", over = \"defer\" }"));
        let alike = |by: f64| format!("fronts-alike = {{ front = \"defer\", and = \"reject\", by = {by} }}");
        assert!(holds(&alike(0.01)) && !holds(&alike(0.0001)));
    }

    #[test]
    fn experts_are_weighed() {
        assert!(holds("weights-follow = { method = \"joint\", property = \"accuracy\", least = 0.99 }"));
        let most = |most: f64| format!("no-expert-dominates = {{ method = \"joint\", most = {most} }}");
        assert!(holds(&most(0.5)) && !holds(&most(0.4)));
    }

    #[test]
    fn what_no_study_measured_is_no_verdict() {
        assert_eq!(verdict("within = { of = { method = \"joint\", measure = \"luck\" }, to = 1.0 }"), None);
        assert_eq!(verdict("within = { of = { study = \"gone\", method = \"joint\", measure = \"weight/a\" } }"), None);
        assert_eq!(verdict("dominates = { front = \"defer\", over = \"nobody\" }"), None);
    }
}
