//! Answers that do not come: by chance, by group, because a case needs no more, or because a person has done enough.
//!
//! Whatever is left out, the answers that do come are those that would have come anyway.

use deferral_core::{
    CaseId, CaseView, Decisions, DecisionsBuilder, DecisionsError, ExpertId, GroupAttribute, Label, ParameterError,
    Row, Stream, Vote,
};
use rand::{Rng, RngExt};

use crate::error::{ExpertError, check_probability, group_called};
use crate::expert::Expert;

/// An expert whose answers go missing at random.
///
/// ```
/// use deferral_experts::{Confusion, ConfusionExpert, MissingAtRandom};
/// let expert = ConfusionExpert::new(Confusion::new(vec![vec![0.9, 0.1], vec![0.2, 0.8]])?);
/// let often_away = MissingAtRandom::new(expert, 0.6)?;
/// # Ok::<(), deferral_experts::ExpertError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MissingAtRandom<E> {
    expert: E,
    probability: f64,
}

impl<E: Expert> MissingAtRandom<E> {
    /// `expert`, each answer missing with `probability`.
    ///
    /// # Errors
    /// If that is no probability.
    pub fn new(expert: E, probability: f64) -> Result<Self, ExpertError> {
        check_probability("the probability of a missing answer", probability)?;
        Ok(Self { expert, probability })
    }
}

impl<E: Expert> Expert for MissingAtRandom<E> {
    fn decide(&self, case: CaseView<'_>, truth: Label, rng: &mut dyn Rng) -> Option<Label> {
        // The answer is drawn first, so that it does not depend on the wrapper.
        let answer = self.expert.decide(case, truth, rng);
        let missing = rng.random::<f64>() < self.probability;
        answer.filter(|_| !missing)
    }

    fn needs_group(&self) -> Option<&str> {
        self.expert.needs_group()
    }
}

/// An expert who is there for some groups more often than for others.
///
/// ```
/// use deferral_core::GroupAttribute;
/// use deferral_experts::{AttendingByGroup, Specialist};
/// let dialect = GroupAttribute::from_values("dialect", ["AAE", "other"]);
/// let expert = Specialist::on("AAE").build(&dialect)?;
/// let scarce = AttendingByGroup::new(expert, &dialect, 1.0)?.with_rate("AAE", 0.2)?;
/// # Ok::<(), deferral_experts::ExpertError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AttendingByGroup<E> {
    expert: E,
    attribute: GroupAttribute,
    rates: Vec<f64>,
}

impl<E: Expert> AttendingByGroup<E> {
    /// `expert`, there with probability `rate` for every group of `attribute`.
    ///
    /// # Errors
    /// If that is no probability, or if the expert tells cases apart by another attribute.
    pub fn new(expert: E, attribute: &GroupAttribute, rate: f64) -> Result<Self, ExpertError> {
        check_probability("the rate of attendance", rate)?;
        if let Some(own) = expert.needs_group() {
            let expected = format!("`{own}`, as for the expert's answers (cross attributes to use both)");
            ParameterError::check(own == attribute.name, "the attribute of attendance", &attribute.name, &expected)?;
        }
        let known = attribute.select(&[]);
        Ok(Self { expert, attribute: known, rates: vec![rate; attribute.len()] })
    }

    /// The same expert with another rate for `group`.
    ///
    /// # Errors
    /// If that is no probability, or there is no such group.
    pub fn with_rate(mut self, group: &str, rate: f64) -> Result<Self, ExpertError> {
        check_probability(&format!("the rate of attendance for {group}"), rate)?;
        self.rates[group_called(&self.attribute, group)?.index()] = rate;
        Ok(self)
    }
}

impl<E: Expert> Expert for AttendingByGroup<E> {
    /// Silent on a case whose group was not there when the expert was built.
    fn decide(&self, case: CaseView<'_>, truth: Label, rng: &mut dyn Rng) -> Option<Label> {
        let answer = self.expert.decide(case, truth, rng);
        let rate = *self.rates.get(case.group?.index())?;
        let there = rng.random::<f64>() < rate;
        answer.filter(|_| there)
    }

    fn needs_group(&self) -> Option<&str> {
        Some(&self.attribute.name)
    }
}

/// Keeps `per_case` decisions of every case, chosen at random, all where there are fewer. O(decisions log).
///
/// Every decision has a rank that depends on the stream, its expert and its case only, and the lowest are kept: a
/// larger `per_case` keeps the same ones and more.
///
/// # Errors
/// Never on decisions that exist already; the type is that of the table's constructor.
pub fn thin(decisions: &Decisions, per_case: usize, stream: &Stream) -> Result<Decisions, DecisionsError> {
    let ranks = Ranks::new(decisions.experts(), &stream.child("thin"));
    let kept = |case| lowest(decisions.of_case(case), per_case, |expert| ranks.uniform(expert, case));
    let votes = (0..decisions.cases())
        .map(CaseId::at)
        .flat_map(|case| kept(case).into_iter().map(move |(expert, label)| (case, Vote { expert, label })));
    collect(decisions, votes)
}

/// Keeps `per_case[i]` decisions of case i, drawn without replacement in proportion to `activity[j]` of their experts.
///
/// The decisions of an expert with activity zero go first. As for [`thin`], ranks are fixed by stream, expert and case
/// (exponential ranks: Efraimidis and Spirakis 2006).
///
/// # Errors
/// If there is not one number for each case and one activity, finite and 0 or more, for each expert.
pub fn thin_by_activity(
    decisions: &Decisions,
    per_case: &[usize],
    activity: &[f64],
    stream: &Stream,
) -> Result<Decisions, ExpertError> {
    let (cases, experts) = (decisions.cases(), decisions.experts());
    let expected = format!("{cases}, one for each case");
    ParameterError::check(per_case.len() == cases, "the number of vote counts", per_case.len(), &expected)?;
    let expected = format!("{experts}, one for each expert");
    ParameterError::check(activity.len() == experts, "the number of activities", activity.len(), &expected)?;
    for (expert, &rate) in activity.iter().enumerate() {
        let what = format!("the activity of expert {expert}");
        ParameterError::check(rate.is_finite() && rate >= 0.0, &what, rate, "a finite number, 0 or more")?;
    }
    let ranks = Ranks::new(experts, &stream.child("thin"));
    let kept = |case: CaseId, count| {
        lowest(decisions.of_case(case), count, |expert| ranks.exponential(expert, case) / activity[expert.index()])
    };
    let votes = per_case.iter().enumerate().flat_map(|(at, &count)| {
        let case = CaseId::at(at);
        kept(case, count).into_iter().map(move |(expert, label)| (case, Vote { expert, label }))
    });
    Ok(collect(decisions, votes)?)
}

/// Keeps `per_expert` decisions of every expert, chosen at random, all where there are fewer. O(decisions log).
///
/// Ranks are fixed by stream, expert and case, as for [`thin`].
///
/// # Errors
/// Never on decisions that exist already; the type is that of the table's constructor.
pub fn cap(decisions: &Decisions, per_expert: usize, stream: &Stream) -> Result<Decisions, DecisionsError> {
    let ranks = Ranks::new(decisions.experts(), &stream.child("cap"));
    let kept = |expert| lowest(decisions.of_expert(expert), per_expert, |case| ranks.uniform(expert, case));
    let votes = (0..decisions.experts())
        .map(ExpertId::at)
        .flat_map(|expert| kept(expert).into_iter().map(move |(case, label)| (case, Vote { expert, label })));
    collect(decisions, votes)
}

/// One number for each pair of expert and case.
struct Ranks(Vec<Stream>);

impl Ranks {
    fn new(experts: usize, stream: &Stream) -> Self {
        Self((0..experts).map(|expert| stream.nth(expert)).collect())
    }

    /// Uniform on [0, 1).
    fn uniform(&self, expert: ExpertId, case: CaseId) -> f64 {
        self.0[expert.index()].at(case.index()).random()
    }

    /// Exponential with mean 1.
    fn exponential(&self, expert: ExpertId, case: CaseId) -> f64 {
        -(-self.uniform(expert, case)).ln_1p()
    }
}

/// The `count` entries of a row with the lowest ranks, by id on ties.
fn lowest<Id: Copy + Ord>(row: Row<'_, Id>, count: usize, rank: impl Fn(Id) -> f64) -> Vec<(Id, Label)> {
    let mut entries: Vec<(f64, (Id, Label))> = row.iter().map(|(id, label)| (rank(id), (id, label))).collect();
    entries.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    entries.truncate(count);
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn collect(like: &Decisions, votes: impl Iterator<Item = (CaseId, Vote)>) -> Result<Decisions, DecisionsError> {
    let mut kept = DecisionsBuilder::new();
    for (case, vote) in votes {
        kept.push(case, vote.expert, vote.label);
    }
    kept.build(like.cases(), like.experts())
}
