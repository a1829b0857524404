//! The cases on which group errors are measured: those learned from, or others.

use std::borrow::Cow;

use deferral_core::{CaseWeights, Cases, Context, Dataset, Features, FitError, Label, Policy, SplitError, Splitter};
use serde::{Deserialize, Serialize};

use crate::group_errors::{ErrorKind, known_labels, mean};
use crate::membership::Membership;

/// Where the group errors come from that a method answers to.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RisksOn {
    /// The cases that are learned from.
    #[default]
    Training,
    /// The data set's held-out part ([`Dataset::held_out`]) or, without one, this share of the cases, which is then not
    /// learned from and has its share of every label and group, up to one case. A group without a held-out case is
    /// measured on the cases that are learned from.
    HeldOut {
        /// Between 0 and 1.
        share: f64,
    },
}

/// Cases with all that is needed to measure errors on them.
pub(crate) struct Side<'a> {
    pub(crate) data: Cow<'a, Dataset>,
    pub(crate) weights: CaseWeights,
    pub(crate) labels: Vec<Label>,
    pub(crate) groups: Vec<Membership>,
}

/// The cases to learn from and, if they are others, those to measure on.
pub(crate) struct Sides<'a> {
    pub(crate) kind: ErrorKind,
    pub(crate) fit: Side<'a>,
    pub(crate) held_out: Option<Side<'a>>,
}

/// The errors of every group of every membership, and of all cases that count.
pub(crate) struct Measures {
    pub(crate) of_group: Vec<Vec<f64>>,
    pub(crate) overall: f64,
}

impl<'a> Sides<'a> {
    /// Divides `data`; groups in which no case to learn from counts are dropped. `others` gives the groups of the data
    /// set's own held-out part; without it a share of the cases is held out.
    pub(crate) fn new(
        kind: ErrorKind,
        risks: RisksOn,
        data: &'a Dataset,
        weights: &CaseWeights,
        groups: &[Membership],
        others: impl Fn(&Cases) -> Result<Option<Vec<Membership>>, FitError>,
        ctx: &Context<'_>,
    ) -> Result<Self, FitError> {
        kind.check(data.k())?;
        for membership in groups {
            membership.check(weights)?;
        }
        if weights.n() != data.n() {
            return Err(FitError::Weights { found: weights.n(), expected: data.n() });
        }
        data.gold()?;
        let fit = Side::of(Cow::Borrowed(data), weights.clone(), groups.to_vec())?;
        let own =
            data.held_out().map(|held_out| Ok::<_, FitError>((held_out, others(held_out.cases())?))).transpose()?;
        let (fit, held_out) = match (risks, own) {
            (RisksOn::Training, _) => (fit, None),
            (RisksOn::HeldOut { .. }, Some((held_out, Some(groups)))) => {
                let even = CaseWeights::uniform(held_out.n());
                (fit, Some(Side::of(Cow::Borrowed(held_out), even, groups)?))
            }
            (RisksOn::HeldOut { share }, _) => {
                let (fit, held_out) = fit.divided(share, ctx)?;
                (fit, Some(held_out))
            }
        };
        Self { kind, fit, held_out }.with_groups_that_count()
    }

    fn with_groups_that_count(mut self) -> Result<Self, FitError> {
        let mass = self.mass();
        for at in 0..self.fit.groups.len() {
            let counting = self.fit.groups[at].with_mass(&mass);
            if counting.groups().is_empty() {
                let message = format!(
                    "no training case counts for the errors of any group of `{}`; use an error that counts every case, \
                     such as `log-loss`",
                    counting.attribute()
                );
                return Err(FitError::NoPromise(message));
            }
            if let Some(held_out) = &mut self.held_out {
                held_out.groups[at] = held_out.groups[at].seen_as(counting.groups());
            }
            self.fit.groups[at] = counting;
        }
        Ok(self)
    }

    /// The weight of each case to learn from that counts; 0 for the others.
    pub(crate) fn mass(&self) -> Vec<f64> {
        self.fit.mass(self.kind)
    }

    /// The errors of a policy on the held-out cases, else on those learned from.
    pub(crate) fn measure<P: Policy>(&self, policy: &P) -> Result<Measures, FitError> {
        let (of_group, overall) = self.held_out.as_ref().unwrap_or(&self.fit).measure(self.kind, policy)?;
        let undefined = overall.is_none() || of_group.iter().flatten().any(Option::is_none);
        let instead = if undefined { Some(self.fit.measure(self.kind, policy)?) } else { None };
        let fallback = |at: usize, group: usize| instead.as_ref().and_then(|(groups, _)| groups[at][group]);
        let filled = |(at, errors): (usize, &Vec<Option<f64>>)| {
            let one = |(group, error): (usize, &Option<f64>)| error.or_else(|| fallback(at, group)).unwrap_or(0.0);
            errors.iter().enumerate().map(one).collect()
        };
        let overall = overall.or_else(|| instead.as_ref().and_then(|(_, overall)| *overall)).unwrap_or(0.0);
        Ok(Measures { of_group: of_group.iter().enumerate().map(filled).collect(), overall })
    }
}

impl Sides<'_> {
    /// The training loss of a policy on some of the cases to learn from: its error with the experts, times `share`,
    /// and that of its classifier alone. A group without a case among them has none.
    pub(crate) fn measure_training_loss<P: Policy>(
        &self,
        policy: &P,
        cases: &[usize],
        share: f64,
    ) -> Result<Measures, FitError> {
        let batch = self.fit.selected(cases)?;
        let own = self.kind.of_cases(&policy.classify(batch.data.cases())?, &batch.labels);
        let system = self.kind.of_cases(&policy.together(&batch.data)?, &batch.labels);
        let losses: Vec<f64> = own.iter().zip(&system).map(|(own, system)| own + share * system).collect();
        let mass = batch.mass(self.kind);
        let of_group = |groups: &Membership| -> Vec<f64> {
            groups.means(&losses, &mass).into_iter().map(|loss| loss.unwrap_or(0.0)).collect()
        };
        let of_group = batch.groups.iter().map(of_group).collect();
        Ok(Measures { of_group, overall: mean(&losses, &mass).unwrap_or(0.0) })
    }
}

type Means = (Vec<Vec<Option<f64>>>, Option<f64>);

impl<'a> Side<'a> {
    fn of(data: Cow<'a, Dataset>, weights: CaseWeights, groups: Vec<Membership>) -> Result<Self, FitError> {
        let labels = known_labels(&data)?;
        Ok(Self { data, weights, labels, groups })
    }

    fn mass(&self, kind: ErrorKind) -> Vec<f64> {
        kind.mass(&self.labels, &self.weights)
    }

    fn measure<P: Policy>(&self, kind: ErrorKind, policy: &P) -> Result<Means, FitError> {
        let errors = kind.of_cases(&policy.together(&self.data)?, &self.labels);
        let mass = self.mass(kind);
        Ok((self.groups.iter().map(|groups| groups.means(&errors, &mass)).collect(), mean(&errors, &mass)))
    }

    /// The same cases in two parts: to learn from, and a share held out.
    fn divided(&self, share: f64, ctx: &Context<'_>) -> Result<(Self, Self), FitError> {
        // The division needs labels and groups only.
        let n = self.data.n();
        let mut cases = Cases::new(self.data.cases().ids().clone(), Features::none(n))?;
        cases = cases.with_labels(self.data.cases().labels().to_vec())?;
        let attribute = self.groups.first().map(Membership::most_likely);
        let name = attribute.as_ref().map(|attribute| attribute.name.clone());
        if let Some(attribute) = attribute {
            cases = cases.with_group(attribute)?;
        }
        let splits = Splitter::Stratified { test: share }.split(&cases, name.as_deref(), &ctx.stream("held out"));
        let split = splits.map_err(refusal)?.swap_remove(0);
        Ok((self.selected(&split.train)?, self.selected(&split.test)?))
    }

    fn selected(&self, cases: &[usize]) -> Result<Self, FitError> {
        let weights = cases.iter().map(|&case| self.weights.values()[case]).collect();
        let groups = self.groups.iter().map(|groups| groups.select(cases)).collect();
        Side::of(Cow::Owned(self.data.select(cases)), CaseWeights::new(weights)?, groups)
    }
}

fn refusal(error: SplitError) -> FitError {
    match error {
        SplitError::Parameter(error) => error.into(),
        SplitError::Cases(error) => error.into(),
        other => FitError::NoPromise(other.to_string()),
    }
}
