//! The correction of the classifier's probabilities: one for all cases, or one a group.

use deferral_core::{
    CaseWeights, Cases, Columns, Context, FitError, GroupAttribute, Names, PolicyError, Probabilities,
};
use deferral_models::{Calibration, Calibrator};
use serde::{Deserialize, Serialize};

use crate::learner::FEWEST_TO_CALIBRATE;

/// What was learned from out-of-fold predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibrated {
    all: Calibrator,
    by_group: Option<ByGroup>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ByGroup {
    attribute: String,
    values: Names,
    /// `None` for a group with too few cases.
    calibrators: Vec<Option<Calibrator>>,
}

impl Calibrated {
    /// The same correction for all.
    pub(crate) fn same(all: Calibrator) -> Self {
        Self { all, by_group: None }
    }

    pub(crate) fn fit(
        calibration: Calibration,
        predictions: &Columns,
        truth: &Columns,
        weights: &CaseWeights,
        group: Option<&GroupAttribute>,
        ctx: &mut Context<'_>,
    ) -> Result<Self, FitError> {
        let all = calibration.fit(predictions, truth, weights, ctx)?;
        let Some(group) = group else { return Ok(Self::same(all)) };
        let mut calibrators = Vec::with_capacity(group.len());
        for (at, count) in group.counts().into_iter().enumerate() {
            let counts = |case: usize| f64::from(u8::from(group.of_case[case].index() == at)) * weights.values()[case];
            calibrators.push(if count < FEWEST_TO_CALIBRATE {
                None
            } else {
                let own = CaseWeights::new((0..predictions.n()).map(counts).collect())?;
                Some(calibration.fit(predictions, truth, &own, ctx)?)
            });
        }
        let by_group = Some(ByGroup { attribute: group.name.clone(), values: group.values.clone(), calibrators });
        Ok(Self { all, by_group })
    }

    /// The attribute that it is by.
    pub(crate) fn attribute(&self) -> Option<&str> {
        self.by_group.as_ref().map(|by| by.attribute.as_str())
    }

    pub(crate) fn apply(&self, probabilities: &mut Probabilities, cases: &Cases) -> Result<(), PolicyError> {
        let group = self.by_group.as_ref().map(|by| cases.group(&by.attribute).map(|group| (by, group))).transpose()?;
        for case in 0..probabilities.n() {
            let own = group.and_then(|(by, group)| {
                let value = group.values.show(group.of_case[case].index());
                by.calibrators.get(by.values.position(value)?)?.as_ref()
            });
            own.unwrap_or(&self.all).apply(probabilities.0.column_mut(case));
        }
        Ok(())
    }
}
