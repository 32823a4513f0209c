// SPDX-License-Identifier: GPL-2.0

//! `homing`, the operator's tool: the table of its commands.
//!
//! Exit status: 0 done, 1 refused or failed (for `doctor`: something found), 2 used wrongly.

mod address;
mod debug;
mod device;
mod doctor;
mod explain;
mod farm;
mod key;
mod member;
mod monitor;
mod out;
mod range;
mod refused;
mod save;
mod service;
mod session;
mod show;

use clap::CommandFactory;
use clap::Parser;
use clap::Subcommand;
use out::Failure;
use out::Out;
use serde_json::json;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// Configure, watch and repair a web farm that balances itself.
#[derive(Parser)]
#[command(name = "homing", version, max_term_width = 100)]
#[command(after_help = "Without a command: show status and members.")]
struct Arguments {
    /// One JSON document on standard output; for `monitor` one object a line
    #[arg(short, long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Let homing look at the packets of a device
    Attach(device::Attach),
    /// Stop looking at the packets of a device
    Detach(device::Detach),
    /// The members of the farm
    #[command(subcommand)]
    Member(member::Command),
    /// The virtual addresses and ports that every member serves
    #[command(subcommand)]
    Service(service::Command),
    /// The sessions that the farm keeps
    #[command(subcommand)]
    Session(session::Command),
    /// What is the same for the whole farm
    #[command(subcommand)]
    Farm(farm::Command),
    /// The farm keys
    #[command(subcommand)]
    Key(key::Command),
    /// What this member knows
    #[command(subcommand)]
    Show(show::Command),
    Monitor(monitor::Monitor),
    Save(save::Save),
    Explain(explain::Explain),
    Doctor(doctor::Doctor),
    /// Switches for tests and for looking closer
    #[command(subcommand)]
    Debug(debug::Command),
    /// Print a completion script for a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder
    Man {
        /// The folder; it is made where there is none
        folder: PathBuf,
    },
}

fn completion(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "homing", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn completion_json(script: &str) -> Value {
    json!({ "script": script })
}

fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let out = Out::new(arguments.json);
    let Some(command) = arguments.command else {
        return show::overview(&out).map(|()| ExitCode::SUCCESS);
    };
    match command {
        Command::Attach(command) => command.run(&out),
        Command::Detach(command) => command.run(&out),
        Command::Member(command) => command.run(&out),
        Command::Service(command) => command.run(&out),
        Command::Session(command) => command.run(&out),
        Command::Farm(command) => command.run(&out),
        Command::Key(command) => command.run(&out),
        Command::Show(command) => command.run(&out),
        Command::Monitor(command) => command.run(&out),
        Command::Save(command) => command.run(&out),
        Command::Explain(command) => command.run(&out),
        Command::Doctor(command) => return command.run(&out),
        Command::Debug(command) => command.run(&out),
        Command::Completion { shell } => {
            let script = completion(shell);
            out.print(|| completion_json(&script), || script.clone())
        }
        Command::Man { folder } => {
            let fail = |error| Failure::new(format!("{}: {error}", folder.display()));
            fs::create_dir_all(&folder)
                .and_then(|()| clap_mangen::generate_to(Arguments::command(), &folder))
                .map_err(fail)?;
            out.done()
        }
    }
    .map(|()| ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("homing: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(line: &str) -> Option<i32> {
        Arguments::try_parse_from(line.split(' '))
            .err()
            .map(|error| error.exit_code())
    }

    #[test]
    fn the_table_of_commands_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn documented_lines_are_understood() {
        for line in [
            "homing",
            "homing -j",
            "homing service add 10.80.0.1:80 --group 3 --policy rr --cookie x --secure --no-insert",
            "homing service add [fd80::1]:80",
            "homing service del 10.80.0.1:80",
            "homing service list",
            "homing member set m1 --id 1 --addr 10.9.0.11 --weight 50 --state drain",
            "homing member set m1 --state down",
            "homing member del m1",
            "homing member up m1",
            "homing member down 2",
            "homing member drain m2",
            "homing member drain m2 --mode move --deadline 30m",
            "homing show drain -j",
            "homing save",
            "homing save -j",
            "homing farm set --eject-max 30",
            "homing service add 10.80.0.1:80 --policy least-sessions",
            "homing attach eth0",
            "homing detach eth0 --force",
            "homing key set /tmp/key",
            "homing key generate",
            "homing key list -j",
            "homing session move abcdef m2",
            "homing session end abcdef -j",
            "homing session end -j abcdef",
            "homing session end -bNdR8azrlQsOVXnk49VQ7Y8uDwwF945",
            "homing session end -jNdR8azrlQsOVXnk49VQ7Y8uDwwF945 -j",
            "homing session move -hNdR8azrlQsOVXnk49VQ7Y8uDwwF945 m1",
            "homing session show --dR8azrlQsOVXnk49VQ7Y8uDwwF9-5",
            "homing session show --json-zrlQsOVXnk49VQ7Y8uDwwF9-",
            "homing session set -hNdR8azrlQsOVXnk49VQ7Y8uDwwF945 --home m1 --version 3",
            "homing session show -bNdR8",
            "homing show stats -j",
            "homing monitor --group session",
            "homing debug state m2 cpu=50 sessions=3 state=down",
            "homing debug clock -5",
            "homing debug clock +5",
            "homing debug scale 10",
            "homing completion bash",
            "homing doctor",
            "homing doctor --severity error -j",
            "homing explain --sid -bNdR8azrlQsOVXnk49VQ7Y8uDwwF945",
            "homing explain --sid -bNdR8azrlQsOVXnk49VQ7Y8uDwwF945 --service [fd80::1]:80",
            "homing explain --flow 10.70.0.2:4000-10.80.0.1:80 -j",
            "homing explain --flow [fd70::2]:4000-[fd80::1]:80",
        ] {
            assert_eq!(usage(line), None, "{line}");
        }
    }

    #[test]
    fn a_session_id_that_looks_like_an_option_is_one_all_the_same() {
        for sid in [
            "-bNdR8azrlQsOVXnk49VQ7Y8uDwwF945",
            "-jNdR8azrlQsOVXnk49VQ7Y8uDwwF945",
            "-hNdR8azrlQsOVXnk49VQ7Y8uDwwF945",
            "--dR8azrlQsOVXnk49VQ7Y8uDwwF945a",
        ] {
            let arguments = Arguments::try_parse_from(["homing", "session", "end", sid]).unwrap();
            let Some(Command::Session(session::Command::End { sid: parsed })) = arguments.command
            else {
                panic!("{sid} is no session");
            };
            assert_eq!(parsed, address::Sid::Text(sid.to_string()));
            assert!(!arguments.json, "{sid}");
        }
    }

    #[test]
    fn a_number_out_of_range_is_refused_with_the_range() {
        for (line, range) in [
            ("homing member set m1 --id 0", "1..=1023"),
            ("homing member set m1 --id 1024", "1..=1023"),
            ("homing member set m1 --weight 1001", "0..=1000"),
            ("homing farm set --port 0", "1..=65535"),
            ("homing farm set --state-interval 9", "10..=60000"),
            ("homing farm set --scale 0", "1..=1000"),
            ("homing farm set --id 16777216", "0..=16777215"),
            ("homing farm set --fabric-mtu 1279", "1280..=9216"),
            ("homing farm set --fabric-mtu 9217", "1280..=9216"),
            ("homing farm set --fabric-mtu 0", "1280..=9216"),
            ("homing farm set --fabric-mtu jumbo", "not 'auto'"),
            ("homing farm set --eject-max 101", "0..=100"),
            ("homing farm set --sessions-max 1023", "1024..=16777216"),
            (
                "homing service add 10.80.0.1:80 --idle-timeout 0",
                "1..=31536000",
            ),
            (
                "homing service add 10.80.0.1:80 --absolute-timeout 31536001",
                "1..=31536000",
            ),
            (
                "homing service add 10.80.0.1:80 --max-age 31536001",
                "0..=31536000",
            ),
            ("homing service add 10.80.0.1:80 --home-wait 61", "1..=60"),
            ("homing debug scale 1001", "1..=1000"),
            ("homing debug fill 16777217", "0..=16777216"),
            ("homing debug state m2 weight=1001", "0 to 1000"),
            (
                "homing session set abcdef --home m1 --version 0",
                "1..=4294967295",
            ),
        ] {
            let error = Arguments::try_parse_from(line.split(' ')).err().unwrap();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(range), "{line}: {error}");
        }
    }

    #[test]
    fn the_manual_tells_every_option_of_a_service_and_every_key_of_a_belief() {
        let manual = include_str!("../../../docs/operations.md");
        let whole = Arguments::command();
        let service = whole.find_subcommand("service").unwrap();
        let add = service.find_subcommand("add").unwrap();
        let own = add.get_arguments().filter(|option| !option.is_global_set());
        let names: Vec<&str> = own.filter_map(|option| option.get_long()).collect();
        assert!(names.len() > 10, "{names:?}");
        for name in names {
            let told = ["`", " ", "["].map(|end| manual.contains(&format!("`--{name}{end}")));
            assert!(told.contains(&true), "{name}");
        }
        let debug = whole.find_subcommand("debug").unwrap();
        let state = debug.find_subcommand("state").unwrap();
        let beliefs = state
            .get_arguments()
            .find(|one| one.get_id() == "beliefs")
            .and_then(|one| one.get_help())
            .unwrap()
            .to_string();
        let keys = beliefs.split(' ').filter_map(|word| word.split_once('='));
        assert_eq!(keys.clone().count(), 7);
        for (key, _) in keys {
            assert!(manual.contains(&format!("`{key}=`")), "{key}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_named() {
        let arguments = Arguments::try_parse_from(["homing", "man", "/dev/null/man"]).unwrap();
        let failure = run(arguments).err().unwrap().to_string();
        assert!(failure.starts_with("/dev/null/man: "), "{failure}");
    }

    #[test]
    fn a_completion_script_for_programs_is_that_for_people() {
        let script = completion(clap_complete::Shell::Bash);
        assert!(script.contains("homing"), "{script}");
        let json = completion_json(&script);
        assert_eq!(json["script"], json!(script));
        assert_eq!(
            show::tests::documented("completion"),
            show::tests::keys_of(&json)
        );
    }

    #[test]
    fn manual_pages_are_written_into_a_folder_that_is_made() {
        let whole = std::env::temp_dir().join(format!("homing-man-{}", std::process::id()));
        let folder = whole.join("share/man1");
        let words = ["homing", "man"].map(PathBuf::from);
        let arguments = Arguments::try_parse_from(words.iter().chain([&folder])).unwrap();
        let done = run(arguments);
        let page = fs::read_to_string(folder.join("homing-show-drain.1"));
        let main = fs::read_to_string(folder.join("homing.1"));
        fs::remove_dir_all(&whole).unwrap();
        assert!(done.is_ok());
        assert!(page.unwrap().contains("The members that drain"));
        // It is told where a person looks.
        assert!(main.unwrap().contains("manual pages"));
        assert!(Arguments::command()
            .render_help()
            .to_string()
            .contains("\n  man "));
    }

    #[test]
    fn wrong_use_is_two() {
        for line in [
            "homing frobnicate",
            "homing service add 10.80.0.1",
            "homing service add 10.80.0.1:0",
            "homing service add nowhere:80",
            "homing service add 10.80.0.1:80 --policy best",
            "homing member set m1 --addr 10.9.0.300",
            "homing member set m1 --state asleep",
            "homing member drain m1 --mode never",
            "homing member drain m1 --deadline soon",
            "homing debug state m2 colour=red",
            "homing debug clock soon",
            "homing show",
            "homing doctor --severity awful",
            "homing explain",
            "homing explain --flow 10.70.0.2:4000",
        ] {
            assert_eq!(usage(line), Some(2), "{line}");
        }
    }
}
