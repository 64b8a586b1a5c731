//! What the keys of the advice view do.

use super::action::Effect;
use super::pane::Row;
use super::state::UiState;
use crate::model::Finding;

impl UiState {
    pub(super) fn finding(&self) -> Option<Finding> {
        let Some(Row::Finding(rule, subject)) = self.selected() else {
            return None;
        };
        let shown = self.shown()?;
        let mut found = shown.findings.iter();
        found
            .find(|f| f.rule == rule && *f.subject == *subject)
            .cloned()
    }

    pub(super) fn copy(&mut self) -> Option<Effect> {
        let finding = self.finding()?;
        let command = [finding.attempt, finding.check]
            .into_iter()
            .find(|text| !text.is_empty())?;
        // Not every terminal takes it: the text stands there to be selected too.
        self.message(
            &format!("copied, where the terminal allows it: {command}"),
            false,
        );
        Some(Effect::Copy(command))
    }

    pub(super) fn hide_rule(&mut self) {
        if let Some(finding) = self.finding() {
            self.hidden_rules.insert(finding.rule);
            self.message(
                &format!(
                    "{} {} is hidden until netop ends",
                    finding.rule, finding.name
                ),
                false,
            );
        }
    }
}
