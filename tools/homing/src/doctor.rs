// SPDX-License-Identifier: GPL-2.0

//! `homing doctor`: what in this host or this farm would break connections, and how to mend it.
//!
//! Facts are gathered first, then judged by functions without side effects. Facts about the host
//! are those of the network namespace that the tool runs in.

mod facts;
mod firewall;
mod judge;

use crate::out::Failure;
use crate::out::Out;
use clap::Args;
use clap::ValueEnum;
pub use facts::is_local;
use facts::Facts;
use homing_nl::Client;
use judge::judge;
use serde_json::json;
use serde_json::Value;
use std::net::SocketAddr;
use std::process::ExitCode;

/// Check this host and say how to mend what is found
///
/// Status 0: nothing was found; 1: something was, or the module is not loaded.
#[derive(Args)]
pub struct Doctor {
    /// Only findings that are so bad, or worse: the others neither print nor count
    #[arg(long, default_value = "warning")]
    severity: Severity,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Severity {
    /// Connections or sessions fail.
    Error,
    /// Something works worse than it could, or fails in some cases.
    Warning,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    /// Stable name of the check.
    id: &'static str,
    severity: Severity,
    what: String,
    mend: String,
}

impl Doctor {
    /// Checks, prints, and answers 0 when nothing was found, else 1.
    pub fn run(&self, out: &Out) -> Result<ExitCode, Failure> {
        let mut client = Client::open()?;
        let facts = Facts::gather(&mut client)?;
        let findings = self.findings(&facts);
        out.print(|| findings.iter().map(json).collect(), || text(&findings))?;
        Ok(if findings.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn findings(&self, facts: &Facts) -> Vec<Finding> {
        let mut findings = judge(facts);
        findings.retain(|finding| finding.severity <= self.severity);
        findings
    }
}

/// Why no device may be attached here: the firewall would refuse every connection of a service,
/// since conntrack never sees its SYN. With how to mend it.
pub fn forbids_attach(client: &mut Client) -> Result<Option<String>, Failure> {
    let facts = Facts::gather(client)?;
    Ok(fatal(&facts))
}

fn fatal(facts: &Facts) -> Option<String> {
    // Without a rule that asks for the state of a connection, what conntrack thinks of it is nothing.
    let tracked = facts.services.iter().any(|service| {
        let address = SocketAddr::new(service.vip, service.port);
        facts.firewall.asks_for_state(address)
    });
    let first = judge(facts).into_iter().find(|finding| match finding.id {
        "firewall-new-not-syn" => true,
        "conntrack-loose" => tracked,
        _ => false,
    })?;
    Some(format!(
        "not attached, every connection would be refused: {}; mend it: {} (--force attaches all the same)",
        first.what, first.mend
    ))
}

fn json(finding: &Finding) -> Value {
    json!({
        "id": finding.id,
        "severity": finding.severity.name(),
        "what": finding.what,
        "mend": finding.mend,
    })
}

fn text(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing found\n".to_string();
    }
    findings
        .iter()
        .map(|f| {
            format!(
                "{} {}: {}\n    mend: {}\n",
                f.severity.name(),
                f.id,
                f.what,
                f.mend
            )
        })
        .collect()
}

#[cfg(test)]
#[path = "doctor_test.rs"]
mod tests;
