//! What was learned: what is believed of a case, what everybody's vote says of it, and the rule that asks.

use deferral_core::{
    Cases, Columns, ExpertId, GroupAttribute, Names, ParameterError, Policy, PolicyError, Probabilities, Weights,
};
use deferral_models::ClassifierPolicy;
use serde::{Deserialize, Serialize};

use crate::adaptive::Adaptive;
use crate::asking::Asking;
use crate::bound::Thresholds;
use crate::calibrated::Calibrated;
use crate::case_tables::{CaseTables, Room};
use crate::competence::Competence;
use crate::dependence::Dependence;
use crate::regions::Regions;
use crate::table::Table;
use crate::tempering::Tempering;

/// What [`Consult`](crate::Consult) learned.
///
/// As a [`Policy`] it says what the calibrated classifier believes, and weighs each expert by what their vote tells of a
/// case of which nothing is known: the mutual information of vote and truth with all classes equally likely, in nats.
/// [`ConsultPolicy::rule`] makes the rule that conducts consultations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConsultPolicy {
    classifier: ClassifierPolicy,
    calibrated: Calibrated,
    competence: Competence,
    place: Place,
    dependence: Option<Dependence>,
    tempering: Option<Tempering>,
    thresholds: Option<Thresholds>,
}

/// What the competence of an expert depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Place {
    Anywhere,
    /// The group of the case.
    Group(String),
    /// How likely the case is of each group.
    LikelyGroup(ClassifierPolicy),
    Region(Regions),
}

/// Why a rule was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A number is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The cases are not of the kind that the policy knows.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl ConsultPolicy {
    pub(crate) fn new(
        classifier: ClassifierPolicy,
        calibrated: Calibrated,
        competence: Competence,
        place: Place,
        dependence: Option<Dependence>,
    ) -> Self {
        Self { classifier, calibrated, competence, place, dependence, tempering: None, thresholds: None }
    }

    pub(crate) fn tempered(self, tempering: Tempering) -> Self {
        Self { tempering: Some(tempering), ..self }
    }

    pub(crate) fn with_experts(self, competence: Competence, dependence: Option<Dependence>) -> Self {
        Self { competence, dependence, ..self }
    }

    pub(crate) fn bounded(self, thresholds: Thresholds) -> Self {
        Self { thresholds: Some(thresholds), ..self }
    }

    /// What everybody's votes say.
    pub fn competence(&self) -> &Competence {
        &self.competence
    }

    /// The same policy with other competence: after [`Competence::count`] of further votes or
    /// [`Competence::join`] of newcomers.
    ///
    /// # Errors
    /// If there are fewer experts than before, or competence is by other groups or classes.
    pub fn with_competence(mut self, competence: Competence) -> Result<Self, ParameterError> {
        let (before, now) = (self.competence.experts(), competence.experts());
        ParameterError::check(now >= before, "the number of experts", now, &format!("{before} or more"))?;
        let same = competence.classes() == self.competence.classes() && competence.groups() == self.competence.groups();
        ParameterError::check(same, "the competence", "by other classes or groups", "by the same ones")?;
        if let Place::Region(regions) = &mut self.place {
            regions.join(now - before);
        }
        self.classifier = self.classifier.beside(now);
        Ok(Self { competence, ..self })
    }

    /// How much the errors of experts go together, if that was learned.
    pub fn dependence(&self) -> Option<&Dependence> {
        self.dependence.as_ref()
    }

    /// The thresholds that keep a bound on the worst group's error, if they were chosen.
    pub fn thresholds(&self) -> Option<&Thresholds> {
        self.thresholds.as_ref()
    }

    /// The rule that asks and decides these cases: case i of a consultation is case i here. `prices` are what a label of
    /// each expert costs, m numbers, 1 each without. Where thresholds were chosen for a bound they stand in place of the
    /// confidence of `asking`. O(G m K^2 + n), by region O(n q).
    ///
    /// # Errors
    /// If `asking` or a price is out of range, or the cases lack a group attribute or are of another kind.
    pub fn rule(&self, asking: &Asking, cases: &Cases, prices: Option<&[f64]>) -> Result<Adaptive<'_>, RuleError> {
        asking.check(self.classes())?;
        if let Some(prices) = prices {
            check_prices(prices, self.experts())?;
        }
        let rule = Adaptive {
            asking: asking.clone(),
            thresholds: None,
            tables: self.tables(cases)?,
            dependence: self.dependence.as_ref(),
            tempering: self.tempering.as_ref(),
            prices: prices.map(<[f64]>::to_vec),
        };
        match &self.thresholds {
            Some(thresholds) => Ok(rule.with_thresholds(thresholds.of(cases)?)?),
            None => Ok(rule),
        }
    }

    fn tables(&self, cases: &Cases) -> Result<CaseTables, PolicyError> {
        let anywhere = || Table::of(&self.competence.table(None));
        let of_groups = || {
            let groups = self.competence.groups().map_or(0, |(_, values)| values.len());
            (0..groups).map(|group| Table::of(&self.competence.table(Some(group)))).collect::<Vec<_>>()
        };
        Ok(match &self.place {
            Place::Anywhere => CaseTables::Same(anywhere()),
            Place::Group(attribute) => {
                let mut tables = of_groups();
                // Cases of a group that was not there in training are judged as all cases are.
                let elsewhere = tables.len() as u32;
                tables.push(anywhere());
                let group = cases.group(attribute)?;
                let known = self.competence.groups().map(|(_, values)| places_in(group, values)).unwrap_or_default();
                let of_case = known.into_iter().map(|place| place.map_or(elsewhere, |at| at as u32)).collect();
                CaseTables::ByGroup { tables, of_case }
            }
            Place::LikelyGroup(membership) => {
                CaseTables::Mixed { tables: of_groups(), shares: membership.classify(cases)?.0 }
            }
            Place::Region(regions) => CaseTables::ByRegion {
                table: anywhere(),
                slopes: regions.slopes().clone(),
                places: regions.places(cases)?,
            },
        })
    }
}

/// For each case the position of its group among `values`, if it is there.
pub(crate) fn places_in(group: &GroupAttribute, values: &Names) -> Vec<Option<usize>> {
    let position: Vec<Option<usize>> = group.values.iter().map(|value| values.position(value)).collect();
    group.of_case.iter().map(|id| position.get(id.index()).copied().flatten()).collect()
}

/// Passes one finite price, 0 or more, for each expert.
pub(crate) fn check_prices(prices: &[f64], experts: usize) -> Result<(), ParameterError> {
    let expected = format!("{experts}, one an expert");
    ParameterError::check(prices.len() == experts, "the number of prices", prices.len(), &expected)?;
    match prices.iter().position(|price| !(price.is_finite() && *price >= 0.0)) {
        None => Ok(()),
        Some(at) => {
            Err(ParameterError::new(format!("the price of expert {at}"), prices[at], "a finite number, 0 or more"))
        }
    }
}

impl Policy for ConsultPolicy {
    fn experts(&self) -> usize {
        self.competence.experts()
    }

    fn classes(&self) -> usize {
        self.competence.classes()
    }

    fn needs_group(&self) -> Option<&str> {
        let by_place = match &self.place {
            Place::Group(attribute) => Some(attribute.as_str()),
            _ => None,
        };
        by_place.or_else(|| self.calibrated.attribute()).or_else(|| self.thresholds.as_ref()?.attribute())
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        let mut probabilities = self.classifier.classify(cases)?;
        self.calibrated.apply(&mut probabilities, cases)?;
        Ok(probabilities)
    }

    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        let tables = self.tables(cases)?;
        let even = vec![1.0 / self.classes().max(1) as f64; self.classes()];
        let mut room = Room::default();
        let mut column = |case: usize| -> Vec<f64> {
            let told = |expert| tables.judge(case, ExpertId::at(expert), &mut room).entropy_gain(&even);
            (0..self.experts()).map(told).chain([0.0]).collect()
        };
        if matches!(tables, CaseTables::Same(_)) {
            return Ok(Weights(Columns::repeat(&column(0), cases.n())));
        }
        Ok(Weights(Columns::from_values(self.experts() + 1, (0..cases.n()).flat_map(column).collect())))
    }
}
