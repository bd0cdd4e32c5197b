# The newcomer's door; Meson does the work (meson.build). Each target does its own set-up.
#
#   make                 build/bin/adit and build/bin/aditd
#   make try             see tunnels work on this machine, or: make try ARGS='-R 20080:localhost:20080 user@vps'
#   make test            every test; the last line says how many passed
#   make test-quick      unit and pair tests of the build that is there
#   make interop-full    1 GiB each way, every cipher, MAC and key exchange with every peer
#                        10,000 channels, 1,000 clients, 100,000 connections one after the other
#   make regress          OpenSSH's own suite with adit, with aditd, and with both (root; openssh-tests)
#   make table           each row of doc/ssh_config.md is taken out once, and its test must notice
#   make bench           what tunnels cost here, ours beside Debian's peers: a table, and doc/bench.svg
#   make bench-quick     under 3 minutes: CPU seconds per GB, and instructions against bench/quick.ref
#   make soak            10,000 streams through a line with faults, each checked to its last byte
#   make ci-full         what takes longer: valgrind, fuzzing, static checks
#   make install PREFIX=/usr/local DESTDIR=
#   make format, make clean

BUILD = build
PREFIX = /usr/local
DESTDIR =
ARGS =
export ADIT_BUILD = $(BUILD)

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja:
	@tools/bootstrap build
	@meson setup $(BUILD) -Dtests=false >/dev/null || { tail -n 30 $(BUILD)/meson-logs/meson-log.txt; exit 1; }

try:
	@tools/bootstrap build
	@tools/try $(ARGS)

test:
	@tools/bootstrap test
	@tools/test

test-quick:
	@tools/bootstrap test
	@tools/test quick

interop-full:
	@tools/bootstrap test
	@tools/test interop-full

regress:
	@tools/bootstrap test
	@ninja -C $(BUILD) --quiet
	@tools/regress

table:
	@tools/bootstrap test
	@ninja -C $(BUILD) --quiet
	@tools/check_rows

ci-full:
	@tools/bootstrap full
	@tools/test full

bench:
	@tools/bootstrap bench
	@$(MAKE) --no-print-directory all
	@bench/run.py --out $(BUILD)/bench.jsonl --draw doc/bench.svg $(ARGS)

bench-quick:
	@tools/bootstrap bench
	@$(MAKE) --no-print-directory all
	@bench/quick.py $(ARGS)

soak:
	@tools/bootstrap test
	@$(MAKE) --no-print-directory all
	@ADIT_STREAMS=10000 /usr/bin/python3 -m pytest -q -c tests/pytest.ini --rootdir tests tests/behaviour/test_streams.py

install: all
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@DESTDIR='$(DESTDIR)' meson install -C $(BUILD)

format:
	@tools/bootstrap test
	@tools/check_format --fix

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-clang

.PHONY: all try test test-quick interop-full regress table bench bench-quick soak ci-full install format clean
