// SPDX-License-Identifier: GPL-2.0

//! `homing key`: make a farm key, load one from a file, and list which are loaded.
//!
//! A key never appears on a command line, where every user could read it, and one that is loaded is
//! never shown: only its number, what it is for, and a fingerprint.

use crate::out::Failure;
use crate::out::Out;
use crate::out::Table;
use crate::refused;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;
use base64::Engine;
use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;
use homing_nl::consts::cmd;
use homing_nl::consts::key;
use homing_nl::consts::KeyRole;
use homing_nl::Client;
use homing_nl::Key;
use homing_nl::Request;
use serde_json::json;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Longest file that is read; a key with a comment behind it is far shorter.
const MAX_FILE: u64 = 4096;

/// What to do with keys.
#[derive(Subcommand)]
pub enum Command {
    /// Load a farm key: 64 hexadecimal digits or base64 of 32 bytes in the file's first line, or 32 raw bytes
    Set(Set),
    /// List the loaded keys: their numbers, which of them sends, and fingerprints to compare members by
    List,
    /// Print a new farm key; keep it in a file that only root can read
    Generate,
}

/// Load a key.
#[derive(Args)]
pub struct Set {
    /// The file; - for standard input
    file: PathBuf,
    /// Number of the key, the same on every member [default: 0, where no other key has it]
    #[arg(long)]
    id: Option<u8>,
    /// Send: the key makes cookies, session ids and messages. Receive: it only verifies them
    #[arg(long, default_value = "send")]
    role: Role,
}

/// What a key is for.
#[derive(Clone, Copy, ValueEnum)]
pub enum Role {
    /// Makes and verifies
    Send,
    /// Verifies only
    Receive,
}

impl Command {
    /// Does it.
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        match self {
            Command::Set(set) => {
                let secret = set.read()?;
                let role = match set.role {
                    Role::Send => KeyRole::Send,
                    Role::Receive => KeyRole::Receive,
                };
                let request = Request::new(cmd::KEY_SET)
                    .bytes(key::SECRET, &secret)
                    .u32(key::ROLE, role as u32);
                let request = match set.id {
                    Some(id) => request.u8(key::ID, id),
                    None => request,
                };
                refused::set(&mut Client::open()?, &request)?;
                out.done()
            }
            Command::List => {
                let keys = Client::open()?.keys()?;
                out.print(|| keys.iter().map(key_json).collect(), || table(&keys))
            }
            Command::Generate => {
                let mut secret = [0; 32];
                File::open("/dev/urandom")?.read_exact(&mut secret)?;
                let text = hex::encode(secret);
                out.print(|| generated_json(&text), || format!("{text}\n"))
            }
        }
    }
}

fn role(key: &Key) -> Option<&'static str> {
    key.role.map(|role| role.name())
}

/// What is the same for the same key on every member.
pub fn fingerprint(key: &Key) -> String {
    format!("{:08x}", key.fingerprint)
}

/// A key for programs.
pub fn key_json(key: &Key) -> Value {
    json!({ "id": key.id, "role": role(key), "fingerprint": fingerprint(key) })
}

fn generated_json(text: &str) -> Value {
    json!({ "key": text })
}

fn table(keys: &[Key]) -> String {
    let mut table = Table::new(&["key", "role", "fingerprint"]);
    for key in keys {
        table.row(vec![
            key.id.to_string(),
            role(key).unwrap_or_default().to_string(),
            fingerprint(key),
        ]);
    }
    table.render("no keys: 'homing key set FILE' loads one")
}

impl Set {
    fn read(&self) -> Result<[u8; 32], Failure> {
        let name = self.file.display();
        let fail = |error| Failure::new(format!("{name}: {error}"));
        let mut bytes = Vec::new();
        if self.file.as_os_str() == "-" {
            std::io::stdin().take(MAX_FILE).read_to_end(&mut bytes)?;
        } else {
            let file = File::open(&self.file).map_err(fail)?;
            let metadata = file.metadata().map_err(fail)?;
            if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
                eprintln!("homing: warning: {name} can be read by others: chmod 600 {name}");
            }
            file.take(MAX_FILE).read_to_end(&mut bytes).map_err(fail)?;
        }
        contained(&bytes).ok_or_else(|| {
            Failure::new(format!(
                "{name}: no key in it: 64 hexadecimal digits or base64 of 32 bytes in its first line, or \
                 nothing but the 32 bytes ('homing key generate' makes one)"
            ))
        })
    }
}

/// Base64 in its usual alphabet or that for file names, with or without padding (RFC 4648).
const BASE64: [GeneralPurpose; 2] = {
    const LAX: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [
        GeneralPurpose::new(&alphabet::STANDARD, LAX),
        GeneralPurpose::new(&alphabet::URL_SAFE, LAX),
    ]
};

/// The key in a file: in its first line that is not blank, or the whole of it.
///
/// 32 characters of text are no key, although they have the length of one: more likely they are half a
/// key in hexadecimal, or a password.
fn contained(bytes: &[u8]) -> Option<[u8; 32]> {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let raw = || bytes.try_into().ok().filter(|_| !bytes.is_ascii());
    line.and_then(parse).or_else(raw)
}

/// 32 bytes out of 64 hexadecimal digits, or of base64.
fn parse(line: &str) -> Option<[u8; 32]> {
    let hex = || hex::decode(line).ok()?.try_into().ok();
    let base64 = || {
        let bytes = BASE64.iter().find_map(|form| form.decode(line).ok())?;
        bytes.try_into().ok()
    };
    hex().or_else(base64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::documented;
    use crate::show::tests::keys_of;

    #[test]
    fn keys_are_listed_by_number_and_role() {
        let key = |id, role| Key {
            id,
            role: Some(role),
            fingerprint: 0x00ab_cdef,
        };
        let keys = [key(0, KeyRole::Receive), key(1, KeyRole::Send)];
        assert_eq!(
            key_json(&keys[1]),
            json!({ "id": 1, "role": "send", "fingerprint": "00abcdef" })
        );
        assert_eq!(
            table(&keys),
            "key  role     fingerprint\n  0  receive  00abcdef\n  1  send     00abcdef\n"
        );
        assert_eq!(documented("key list"), keys_of(&key_json(&keys[1])));
        assert!(table(&[]).contains("homing key set"));
    }

    #[test]
    fn what_is_generated_is_a_key_for_programs_too() {
        let json = generated_json(&"07".repeat(32));
        assert_eq!(documented("key generate"), keys_of(&json));
        assert_eq!(json["key"].as_str().and_then(parse), Some([7; 32]));
    }

    #[test]
    fn hexadecimal_and_base64_give_the_same_key() {
        let key: [u8; 32] = std::array::from_fn(|index| index as u8 * 8 + 7);
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(parse(&hex), Some(key));
        assert_eq!(parse(&hex.to_uppercase()), Some(key));
        // Made with base64(1).
        let base64 = "Bw8XHycvNz9HT1dfZ293f4ePl5+nr7e/x8/X3+fv9/8=";
        assert_eq!(parse(base64), Some(key));
        assert_eq!(parse(base64.trim_end_matches('=')), Some(key));
        assert_eq!(
            parse(&base64.replace('+', "-").replace('/', "_")),
            Some(key)
        );
    }

    #[test]
    fn a_file_has_the_key_in_its_first_line_or_is_the_key() {
        let raw: [u8; 32] = std::array::from_fn(|index| index as u8 * 8 + 7);
        let line = hex::encode(raw);
        for text in [
            line.clone(),
            format!("{line}\n"),
            format!("\n \r\n\t{line} \r\nde la fédération\n"),
        ] {
            assert_eq!(contained(text.as_bytes()), Some(raw), "{text:?}");
        }
        assert_eq!(contained(&raw), Some(raw));
        let longer = [&raw[..], b"\n"].concat();
        for bad in [
            &raw[..31],
            &longer,
            b"0123456789abcdef0123456789abcdef",
            b"\n\n",
            b"",
        ] {
            assert_eq!(contained(bad), None, "{bad:?}");
        }
        assert_eq!(contained(format!("no key\n{line}\n").as_bytes()), None);
    }

    #[test]
    fn anything_else_is_no_key() {
        let almost = "Bw8XHycvNz9HT1dfZ293f4ePl5+nr7e/x8/X3+fv9/9=";
        for bad in [
            "",
            "00",
            &"0".repeat(63),
            &"0".repeat(65),
            &"g".repeat(64),
            almost,
            "secret",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
