//! Tokens of viewers and operators: JSON Web Tokens (RFC 7519), signed and verified.

use std::fmt;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::Serialize;

use super::Principal;
use super::claims::{Claims, Received};
use super::fault::Fault;
use super::keys::Keys;
use crate::config::{JwtAlgorithm, KeySettings, Secret};
use crate::wire::UnixMillis;

/// How far the clocks of issuer and server may be apart, in seconds.
pub const LEEWAY: u64 = 5;

/// Verifies tokens, and signs them if the key is ours.
pub(super) struct Jwt {
    keys: Keys,
    validation: Validation,
    signer: Option<(KeySettings, Secret)>,
}

impl Jwt {
    pub(super) fn new(settings: &KeySettings, keys: Keys, secret: Option<Secret>) -> Self {
        // The algorithm is ours to say, never the token's.
        let mut validation = Validation::new(algorithm(settings.jwt_algorithm));
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        // An audience that nobody configured is none of our business.
        validation.validate_aud = settings.jwt_audience.is_some();
        // Without a required claim the library would pass a token that leaves it out.
        if let Some(issuer) = &settings.jwt_issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".into());
        }
        if let Some(audience) = &settings.jwt_audience {
            validation.set_audience(&[audience]);
            validation.required_spec_claims.insert("aud".into());
        }
        Self { keys, validation, signer: secret.map(|secret| (settings.clone(), secret)) }
    }

    /// A token with these claims, unless somebody else signs.
    pub(super) fn sign(&self, claims: &Claims) -> Option<String> {
        self.signer.as_ref().map(|(settings, secret)| sign(claims, settings, secret))
    }

    /// Whose token it is. Nothing is said of the claims before the signature was found good.
    pub(super) fn verify(&self, token: &str) -> Result<Principal, Fault> {
        let header = decode_header(token).map_err(|error| header_fault(&error))?;
        if !self.validation.algorithms.contains(&header.alg) {
            return Err(Fault::Algorithm);
        }
        // Whoever does not understand a critical extension must refuse (RFC 7515, section 4.1.11).
        if header.crit.is_some() {
            return Err(Fault::Critical);
        }
        self.read(token, self.keys.choose(header.kid.as_deref())?)?.principal()
    }

    fn read(&self, token: &str, keys: &[DecodingKey]) -> Result<Received, Fault> {
        for key in keys {
            match decode(token, key, &self.validation) {
                Ok(token) => return Ok(token.claims),
                Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {}
                Err(error) => return Err(fault(&error)),
            }
        }
        Err(Fault::Signature)
    }
}

/// When a token ends by its own word, leeway not included, if it is a JWT that says so. Nothing of it is
/// verified: this says when somebody who can has to be asked again.
pub fn claimed_end(token: &str) -> Option<UnixMillis> {
    insecure_decode_claims::<Received>(token).ok()?.end()
}

/// What is wrong with a token whose header cannot be read.
fn header_fault(error: &Error) -> Fault {
    match error.kind() {
        // It is JSON. The algorithm "none" is such a header, because nobody knows it.
        ErrorKind::Json(error) if error.is_data() => Fault::Header,
        _ => Fault::NotAToken,
    }
}

/// What is wrong with a token whose header is good.
fn fault(error: &Error) -> Fault {
    match error.kind() {
        ErrorKind::ExpiredSignature => Fault::Expired,
        ErrorKind::ImmatureSignature => Fault::NotYet,
        ErrorKind::InvalidIssuer => Fault::Issuer,
        ErrorKind::InvalidAudience => Fault::Audience,
        ErrorKind::Json(_) => Fault::Claims,
        ErrorKind::MissingRequiredClaim(name) | ErrorKind::InvalidClaimFormat(name) => {
            let known = ["exp", "nbf", "iss", "aud"].into_iter().find(|known| known == name);
            known.map_or(Fault::Claims, Fault::Claim)
        }
        _ => Fault::NotAToken,
    }
}

/// The claims as the server that checks them wants them.
#[derive(Serialize)]
struct Issued<'a> {
    #[serde(flatten)]
    claims: &'a Claims,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

/// A token with these claims, for a server with these settings and this secret.
pub(super) fn sign(claims: &Claims, settings: &KeySettings, secret: &Secret) -> String {
    let key = EncodingKey::from_secret(secret.reveal().as_bytes());
    let issued = Issued { claims, iss: settings.jwt_issuer.as_deref(), aud: settings.jwt_audience.as_deref() };
    encode(&Header::new(Algorithm::HS256), &issued, &key).expect("claims are JSON and the key is for HS256")
}

fn algorithm(name: JwtAlgorithm) -> Algorithm {
    match name {
        JwtAlgorithm::Hs256 => Algorithm::HS256,
        JwtAlgorithm::EdDsa => Algorithm::EdDSA,
        JwtAlgorithm::Rs256 => Algorithm::RS256,
        JwtAlgorithm::Es256 => Algorithm::ES256,
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jwt(hidden)")
    }
}
