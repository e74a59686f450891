# run, test, lint: each does its own set-up, from a fresh clone with cargo and Node 20.

.PHONY: run test lint mutants clean

# A server for a look around: it prints its URL and a token that may read everything.
run:
	cargo build --release --bin guildpulse
	@sh tools/run.sh

# Everything that can be checked without a person.
test:
	@sh tools/packages.sh curl
	cargo test --workspace --all-targets
	$(MAKE) mutants

# Breaks every rule of liveness on purpose and shows that a test notices.
mutants:
	cargo run --quiet --package mutants

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

clean:
	cargo clean
