# run, test, lint, bench: each does its own set-up, from a fresh clone with cargo and Node 20.

# Nothing is kept outside the checkout.
export npm_config_cache := $(CURDIR)/target/npm
export npm_config_update_notifier := false

.PHONY: run test web-test lint mutants bench bench-peers soak fuzz screenshots example clean

# A simulated bot and a page that shows it: prints the link to open.
run:
	cargo run --release --bin guildpulse -- serve --demo

# Everything that can be checked without a person. The tests of the gateway wait more than they work, for tokens and
# backends to be given up, so more of them are run at once.
test:
	@sh tools/packages.sh caddy curl chromium firefox-esr nginx openssl strace
	cargo test --workspace --all-targets -- --skip gateway::
	RUST_TEST_THREADS=6 cargo test --workspace --all-targets --quiet -- gateway::
	$(MAKE) web-test
	$(MAKE) mutants

# A real browser on the real program, which `cargo test` has built; and the package of npm as others get it, in apps of
# their own and with the oldest and newest peers.
web-test: web/node_modules web/client/node_modules
	npm --prefix web test
	npm --prefix web/client test
	npm --prefix web/client run test:browser
	npm --prefix web/client run test:package

# Breaks every rule of liveness and every promise of the reactor on purpose and shows that a test notices.
mutants:
	cargo run --quiet --package mutants

# What a viewer, a delivery and a beat cost: all of bench/SCENARIOS.md, or SCENARIO=name. The two are
# built apart, so that what one needs of a library does not change the other.
bench:
	cargo build --release --package guildpulse --bin guildpulse
	cargo build --release --package bench
	@target/release/bench run --server target/release/guildpulse $(SCENARIO)

# The same beside nginx with nchan and a server in Node, as far as that can be compared.
bench-peers:
	@sh tools/packages.sh nginx libnginx-mod-nchan=/usr/lib/nginx/modules/ngx_nchan_module.so
	cargo build --release --package guildpulse --bin guildpulse
	cargo build --release --package bench
	@target/release/bench peers --server target/release/guildpulse

# Five million viewers come and go, and a gateway's backend 500 times: is anything kept of them?
soak:
	cargo build --release --package guildpulse --bin guildpulse
	cargo build --release --package bench
	@target/release/bench soak --server target/release/guildpulse
	GUILDPULSE_RESTARTS=500 cargo test --package guildpulse --test it restarts_of_the_backend

# Every parser, and the state machine, under arbitrary bytes that begin as our fixtures, for so many seconds each. The compiler of the project builds
# them: sanitizers would need another one, and look for what cannot be where unsafe code is forbidden.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
fuzz: target/tools/bin/cargo-fuzz
	RUSTC_BOOTSTRAP=1 $< build --sanitizer none
	@for target in $(FUZZ_TARGETS); do log=target/fuzz-$$target.log; mkdir -p fuzz/corpus/$$target; \
	  RUSTC_BOOTSTRAP=1 $< run --sanitizer none $$target fuzz/corpus/$$target protocol/fixtures -- \
	    -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=4096 >$$log 2>&1 || { cat $$log; exit 1; }; \
	  echo "$$target: $$(tail -n 1 $$log)"; done
	PROPTEST_CASES=75000 cargo test --quiet --release --package guildpulse --test liveness properties

target/tools/bin/cargo-fuzz:
	cargo install --quiet --root target/tools --version 0.13.2 cargo-fuzz

lint: web/node_modules web/client/node_modules
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items
	npm --prefix web run check
	npm --prefix web/client run check

# Takes the pictures of the README anew.
screenshots: web/node_modules
	cargo build --bin guildpulse
	SCREENSHOTS=$(CURDIR)/docs/images npm --prefix web test -- e2e/demo.test.ts -t 'who crashes'

# The dashboard of examples/nextjs, for a server on 127.0.0.1:3001 or at GUILDPULSE_URL.
example:
	npm --prefix web/client ci --no-progress
	npm --prefix web/client run build
	npm --prefix examples/nextjs ci --no-progress
	NEXT_TELEMETRY_DISABLED=1 GUILDPULSE_URL=$${GUILDPULSE_URL:-http://127.0.0.1:3001} npm --prefix examples/nextjs run dev

%/node_modules: %/package-lock.json
	npm --prefix $* ci --no-progress
	@touch $@

clean:
	cargo clean
	rm -rf web/node_modules web/client/node_modules web/client/dist web/client/peers/*/node_modules
	rm -rf examples/nextjs/node_modules examples/nextjs/.next
