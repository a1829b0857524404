//! A bound on the error of the system, promised with a probability, at the fewest deferrals.

use deferral_core::{
    CaseId, CaseWeights, Context, Dataset, FitError, GroupAttribute, Label, Learner, ParameterError, Policy, argmax,
};
use deferral_metrics::p_value_at_most;
use serde::{Deserialize, Serialize};

use crate::aside::set_aside;
use crate::guaranteed_policy::{DeferBy, GroupThreshold, GuaranteedPolicy, decide, defer};

/// Any learner, with a threshold on its deferrals under which the error of the system is at most a bound, with a promised
/// probability, and the fewest cases are deferred.
///
/// A share of the training cases is set aside and the learner learns from the rest. Candidate thresholds are then tested
/// on the cases set aside: is the error of model and experts together at most the bound? The tests are exact (binomial
/// p-values, [`p_value_at_most`]), and they are made in a fixed order, each only if the one before it passed (Angelopoulos,
/// Bates, Candès, Jordan and Lei 2021, "Learn then test", fixed-sequence testing). So the chance that *any* threshold that
/// passes breaks the bound is at most delta = 1 - promise, and the lowest that passes can be taken. This holds for every
/// learner, however bad, and every number of cases; only the cases to come must be like those set aside, decided by the
/// same experts, and by the rule that [`GuaranteedPolicy::committee`] names. Case weights count in learning, not in the
/// promise.
///
/// The order: the error need not fall with every deferral, so from each of three starting points the threshold is lowered
/// while the test passes, each start with a third of delta: everything deferred, nothing deferred, and the threshold with
/// the fewest errors on other cases, which is where a system errs less than model or experts alone. Candidates and the
/// third start come from the held-out data ([`Dataset::held_out`]) if there are any, else from the cases learned from:
/// never from those set aside, because a threshold that depended on the tested cases, even on their scores alone, would
/// make their errors no longer binomial at the rate that the promise is about.
///
/// With an attribute the bound holds for every group at once. If the group is known when a case is decided, each group
/// has its own threshold and delta is divided among them; if not, one threshold must pass for all, which needs no
/// division.
///
/// Cost: one fit and O(n (m + candidates)).
///
/// ```
/// use deferral_core::*;
/// use deferral_fairness::{DeferBy, Guarantee};
/// use deferral_models::Classifier;
/// // The sign of the feature is the class, but near zero it says little. One expert is always right.
/// let x: Vec<f64> = (0..600).map(|i| f64::from(i * 7 % 600) / 300.0 - 1.0).collect();
/// let truth = |i: usize| u16::from(if x[i].abs() < 0.3 { i % 2 == 0 } else { x[i] > 0.0 });
/// let cases = Cases::new(Names::numbered("case", 600), Features::dense(Columns::from_values(1, x.clone()))?)?;
/// let cases = cases.with_labels((0..600).map(|i| Some(Label(truth(i)))).collect())?;
/// let decisions = Decisions::from_triples(600, 1, (0..600).map(|i| (i as u32, 0, truth(i))))?;
/// let data = Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("expert", 1))?;
/// # struct Asking;
/// # struct Both(<Classifier as Learner>::Policy);
/// # impl Learner for Asking {
/// #     type Policy = Both;
/// #     fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<Both, FitError> {
/// #         Ok(Both(Classifier::default().fit(data, weights, ctx)?))
/// #     }
/// # }
/// # impl Policy for Both {
/// #     fn experts(&self) -> usize { 1 }
/// #     fn classes(&self) -> usize { 2 }
/// #     fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> { self.0.classify(cases) }
/// #     fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
/// #         Ok(Weights(Columns::repeat(&[1.0, 0.0], cases.n())))
/// #     }
/// # }
/// // `Asking` learns a classifier beside which the expert has all the weight.
/// let learner = Guarantee { score: DeferBy::Confidence, ..Guarantee::at_most(0.1, Asking) };
/// let mut silent = Silent;
/// let policy = learner.fit(&data, &CaseWeights::uniform(600), &mut Context::new(Stream::new(1), &mut silent))?;
/// let chosen = &policy.thresholds()[0];
/// // The model keeps most cases, and yet hardly any is decided wrongly.
/// assert!(chosen.deferred < chosen.cases / 2 && chosen.wrong < chosen.cases / 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guarantee<L> {
    /// The largest error that the system may have, epsilon, between 0 and 1.
    pub error: f64,
    /// The probability with which it has no larger one, 1 - delta; .95 by default.
    #[serde(default = "promise")]
    pub promise: f64,
    /// The group attribute, each of whose groups the bound is for; `None`, the default, for all cases as one.
    #[serde(default)]
    pub attribute: Option<String>,
    /// Share of the training cases set aside; .3 by default.
    #[serde(default = "share")]
    pub share: f64,
    /// What is compared with the threshold, and who decides a deferred case; [`DeferBy::Deferral`] by default.
    #[serde(default)]
    pub score: DeferBy,
    /// Whether the group is known when a case is decided, so that each has a threshold of its own; `true` by default.
    /// Without an attribute it says nothing.
    #[serde(default = "known")]
    pub group_known: bool,
    /// What learns.
    pub learner: L,
}

fn promise() -> f64 {
    0.95
}

fn share() -> f64 {
    0.3
}

fn known() -> bool {
    true
}

impl<L> Guarantee<L> {
    /// With the defaults: `learner` with a system that errs on at most a share `error` of the cases.
    pub fn at_most(error: f64, learner: L) -> Self {
        Self {
            error,
            promise: promise(),
            attribute: None,
            share: share(),
            score: DeferBy::default(),
            group_known: known(),
            learner,
        }
    }

    /// The same bound for every group of `attribute` at once.
    #[must_use]
    pub fn by(self, attribute: impl Into<String>) -> Self {
        Self { attribute: Some(attribute.into()), ..self }
    }

    fn check(&self) -> Result<(), ParameterError> {
        let between = |parameter: &str, value: f64| {
            ParameterError::check(value > 0.0 && value < 1.0, parameter, value, "above 0 and below 1")
        };
        between("the bound on the system's error", self.error)?;
        between("the promised probability", self.promise)
    }
}

impl<L: Learner> Learner for Guarantee<L> {
    type Policy = GuaranteedPolicy<L::Policy>;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<Self::Policy, FitError> {
        self.check()?;
        data.gold()?;
        let attribute = self.attribute.as_deref();
        let parts = set_aside(data, weights, attribute, self.share, &ctx.stream("set aside"))?;
        let policy = self.learner.fit(&parts.learned, &parts.weights, ctx)?;
        let guide = Graded::of(&policy, data.held_out().unwrap_or(&parts.learned), None, self.score)?;
        let group = attribute.map(|name| parts.aside.cases().group(name)).transpose()?;
        let graded = Graded::of(&policy, &parts.aside, group, self.score)?;
        let thresholds = self.choose(&guide, &graded)?;
        let by = group.filter(|_| self.group_known).map(|group| (group.name.clone(), group.values.clone()));
        Ok(GuaranteedPolicy { policy, score: self.score, by, thresholds })
    }
}

impl<L> Guarantee<L> {
    /// The thresholds that keep the bound on cases that nothing was learned from.
    fn choose(&self, guide: &Graded<'_>, graded: &Graded<'_>) -> Result<Vec<GroupThreshold>, FitError> {
        let groups = graded.groups();
        if let Some(group) = (0..groups).find(|&group| graded.count(group, f64::INFINITY).cases == 0) {
            return Err(FitError::NoPromise(format!(
                "nothing can be promised for the group `{}` of {}: it has no case among those set aside. Give cases of it, \
                 or leave it out of the attribute's values",
                graded.name(group).unwrap_or_default(),
                self.attribute.as_deref().unwrap_or_default(),
            )));
        }
        let sequences = sequences(guide);
        let every: Vec<usize> = (0..groups).collect();
        let parts: Vec<&[usize]> = if self.group_known { every.chunks(1).collect() } else { vec![&every] };
        let delta = (1.0 - self.promise) / parts.len().max(1) as f64;
        let mut chosen = Vec::with_capacity(groups);
        for part in parts {
            let threshold =
                self.lowest(&sequences, graded, part, delta).ok_or_else(|| self.impossible(graded, part))?;
            chosen.extend(part.iter().map(|&group| graded.count(group, threshold)));
        }
        Ok(chosen)
    }

    /// The lowest threshold that passes for all of `groups`: their p-values must all be small, so that no correction for
    /// their number is due.
    fn lowest(&self, sequences: &[Vec<f64>], graded: &Graded<'_>, groups: &[usize], delta: f64) -> Option<f64> {
        let level = delta / sequences.len().max(1) as f64;
        let passes = |threshold: f64| {
            groups.iter().all(|&group| {
                let count = graded.count(group, threshold);
                p_value_at_most(count.wrong, count.cases, self.error) <= level
            })
        };
        let last = |sequence: &Vec<f64>| sequence.iter().copied().take_while(|&threshold| passes(threshold)).last();
        sequences.iter().filter_map(last).reduce(f64::min)
    }

    fn impossible(&self, graded: &Graded<'_>, groups: &[usize]) -> FitError {
        let errors = |threshold: f64| {
            let counts = groups.iter().map(|&group| {
                let count = graded.count(group, threshold);
                let name = count.group.map(|name| format!("{name}: ")).unwrap_or_default();
                format!("{name}{} of {}", count.wrong, count.cases)
            });
            counts.collect::<Vec<_>>().join(", ")
        };
        let whose = self.attribute.as_ref().map_or_else(
            || "the system errs on at most".to_owned(),
            |attribute| format!("in no group of {attribute} the system errs on more than"),
        );
        FitError::NoPromise(format!(
            "no threshold can promise with probability {} that {whose} a share {} of the cases; of the cases set aside are \
             decided wrongly with everything deferred {}, with nothing deferred {}. Ask for a larger bound or a smaller \
             promise, set more cases aside, or find better experts",
            self.promise,
            self.error,
            errors(f64::INFINITY),
            errors(f64::NEG_INFINITY),
        ))
    }
}

/// Cases with a known truth, how they score, and whether they would be wrong if kept and if deferred.
struct Graded<'a> {
    cases: Vec<GradedCase>,
    /// The attribute, or `None` for all cases as one group.
    group: Option<&'a GroupAttribute>,
}

struct GradedCase {
    score: f64,
    group: usize,
    wrong_if_kept: bool,
    wrong_if_deferred: bool,
}

impl<'a> Graded<'a> {
    fn of(
        policy: &impl Policy,
        data: &Dataset,
        group: Option<&'a GroupAttribute>,
        score: DeferBy,
    ) -> Result<Self, FitError> {
        let (beliefs, mut weights) = (policy.classify(data.cases())?, policy.weigh(data.cases())?);
        let scores = score.scores(&beliefs, &weights);
        let grade = |(case, truth): (usize, &Option<Label>)| {
            let (truth, belief) = ((*truth)?, beliefs.column(case));
            let mut deferred = belief.to_vec();
            defer(score, weights.0.column_mut(case));
            decide(score, &mut deferred, weights.column(case), data.decisions().of_case(CaseId::at(case)));
            Some(GradedCase {
                score: scores[case],
                group: group.map_or(0, |group| group.of_case[case].index()),
                wrong_if_kept: argmax(belief) != truth.index(),
                wrong_if_deferred: argmax(&deferred) != truth.index(),
            })
        };
        Ok(Self { cases: data.cases().labels().iter().enumerate().filter_map(grade).collect(), group })
    }

    fn groups(&self) -> usize {
        self.group.map_or(1, GroupAttribute::len)
    }

    fn name(&self, group: usize) -> Option<String> {
        self.group.map(|attribute| attribute.values.show(group).to_owned())
    }

    /// What happens to the cases of a group under a threshold.
    fn count(&self, group: usize, threshold: f64) -> GroupThreshold {
        let mut count = GroupThreshold { group: self.name(group), threshold, cases: 0, wrong: 0, deferred: 0 };
        for case in self.cases.iter().filter(|case| case.group == group) {
            let kept = case.score >= threshold;
            count.cases += 1;
            count.deferred += u64::from(!kept);
            count.wrong += u64::from(if kept { case.wrong_if_kept } else { case.wrong_if_deferred });
        }
        count
    }
}

/// Quantiles of the guide's scores that are tried.
const QUANTILES: usize = 100;

/// Even steps between its lowest and highest score that are tried too: what was learned from may score higher, and closer
/// together, than what is to come.
const STEPS: usize = 50;

/// Everything deferred, the candidates from the highest, nothing deferred.
fn candidates(guide: &Graded<'_>) -> Vec<f64> {
    let mut scores: Vec<f64> = guide.cases.iter().map(|case| case.score).filter(|score| score.is_finite()).collect();
    scores.sort_by(f64::total_cmp);
    let mut all = vec![f64::INFINITY, f64::NEG_INFINITY];
    if let (Some(&low), Some(&high)) = (scores.first(), scores.last()) {
        all.extend((0..=QUANTILES).map(|q| scores[q * (scores.len() - 1) / QUANTILES]));
        all.extend((0..=STEPS).map(|step| low + (high - low) * step as f64 / STEPS as f64));
    }
    all.sort_by(|a, b| b.total_cmp(a));
    all.dedup();
    all
}

/// The fixed orders of tests: downwards from everything deferred, from the threshold with the fewest errors among the
/// guide's cases, and from nothing deferred, each start once.
fn sequences(guide: &Graded<'_>) -> Vec<Vec<f64>> {
    let candidates = candidates(guide);
    let wrong = |&at: &usize| guide.count(0, candidates[at]).wrong;
    let best = (0..candidates.len()).min_by_key(wrong).unwrap_or(0);
    let mut starts = vec![0, best, candidates.len() - 1];
    starts.dedup();
    starts.into_iter().map(|start| candidates[start..].to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::GroupAttribute;

    /// Cases that score as given, wrong if kept, wrong if deferred.
    fn graded<'a>(cases: &[(f64, bool, bool)], group: Option<&'a GroupAttribute>) -> Graded<'a> {
        let case = |(at, &(score, wrong_if_kept, wrong_if_deferred)): (usize, &(f64, bool, bool))| GradedCase {
            score,
            group: group.map_or(0, |group| group.of_case[at].index()),
            wrong_if_kept,
            wrong_if_deferred,
        };
        Graded { cases: cases.iter().enumerate().map(case).collect(), group }
    }

    /// 200 cases in steps of the score; the model errs below .5, the experts at and above it.
    fn each_has_its_half() -> Vec<(f64, bool, bool)> {
        (0..200).map(|i| f64::from(i) / 200.0).map(|score| (score, score < 0.5, score >= 0.5)).collect()
    }

    #[test]
    fn the_best_division_is_found_though_both_ends_fail() {
        let cases = each_has_its_half();
        let chosen = Guarantee::at_most(0.1, ()).choose(&graded(&cases, None), &graded(&cases, None)).unwrap();
        // At .05 / 3 up to 10 errors pass: P(Bin(200, .1) <= 10) = .0081, and .0168 for 11. Candidates stand at 9 and 11.
        assert_eq!((chosen[0].wrong, chosen[0].deferred, chosen[0].cases), (9, 91, 200));
        assert_eq!(chosen[0].threshold, 0.455);
    }

    #[test]
    fn nothing_is_deferred_if_the_model_is_good_enough() {
        let cases: Vec<_> = (0..300).map(|i| (f64::from(i), i % 50 == 0, true)).collect();
        let chosen = Guarantee::at_most(0.1, ()).choose(&graded(&cases, None), &graded(&cases, None)).unwrap();
        assert_eq!((chosen[0].threshold, chosen[0].deferred), (f64::NEG_INFINITY, 0));
    }

    #[test]
    fn groups_have_their_own_thresholds_or_share_one() {
        // In group b the model errs twice as far up.
        let group = GroupAttribute::from_values("g", (0..800).map(|i| if i % 2 == 0 { "a" } else { "b" }));
        let cases: Vec<_> = (0..800)
            .map(|i| (f64::from(i) / 800.0, f64::from(i) / 800.0 < if i % 2 == 0 { 0.3 } else { 0.6 }, false))
            .collect();
        let (guide, graded) = (graded(&cases, None), graded(&cases, Some(&group)));
        let own = Guarantee::at_most(0.1, ()).by("g");
        let chosen = own.choose(&guide, &graded).unwrap();
        assert!(chosen[0].threshold < 0.3 && (0.4..0.6).contains(&chosen[1].threshold), "{chosen:?}");
        assert_eq!(chosen[1].group.as_deref(), Some("b"));
        let shared = Guarantee { group_known: false, ..own }.choose(&guide, &graded).unwrap();
        assert_eq!(shared[0].threshold, shared[1].threshold);
        assert!((0.4..0.6).contains(&shared[0].threshold));
    }

    #[test]
    fn what_cannot_be_promised_is_said() {
        let cases: Vec<_> = (0..20).map(|i| (f64::from(i), i % 2 == 0, i % 4 == 0)).collect();
        let message = |guarantee: &Guarantee<()>, group: Option<&GroupAttribute>| {
            guarantee.choose(&graded(&cases, None), &graded(&cases, group)).unwrap_err().to_string()
        };
        let all = Guarantee::at_most(0.1, ());
        assert_eq!(
            message(&all, None),
            "no threshold can promise with probability 0.95 that the system errs on at most a share 0.1 of the cases; of \
             the cases set aside are decided wrongly with everything deferred 5 of 20, with nothing deferred 10 of 20. Ask \
             for a larger bound or a smaller promise, set more cases aside, or find better experts"
        );
        let mut group = GroupAttribute::from_values("g", (0..20).map(|i| if i < 10 { "a" } else { "b" }));
        let by_group = message(&all.clone().by("g"), Some(&group));
        assert!(by_group.contains("in no group of g the system errs on more than a share 0.1"), "{by_group}");
        assert!(by_group.contains("everything deferred a: 3 of 10, with nothing deferred a: 5 of 10"), "{by_group}");
        group.values.intern("c");
        let empty = message(&all.by("g"), Some(&group));
        assert!(empty.starts_with("nothing can be promised for the group `c` of g: it has no case"), "{empty}");
    }
}
