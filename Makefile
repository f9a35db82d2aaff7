# modelreg: a model registry in PostgreSQL.
#
#   make && make install     build and install for the pg_config on PATH (or PG_CONFIG=…)
#   make test                everything, in a private cluster; nothing is installed
#   make demo | bench | bench-mlflow | lint | memcheck | stress | test-all-versions
#
# The second group of goals needs no PostgreSQL to begin with: tools/setup looks
# for the packages they use and, for root, installs them.  To build in a directory
# of its own: make -f path/to/Makefile there.

PG_CONFIG ?= pg_config
.DEFAULT_GOAL := all

# ---- Goals that are scripts ------------------------------------------------

SCRIPT_GOALS = setup test demo bench bench-mlflow lint memcheck stress test-all-versions

# make itself runs them, without a shell, as they end when their parent is killed.
TEST_RUN = tools/with-build test/run

.PHONY: $(SCRIPT_GOALS)

setup:
	tools/setup all

test:
	tools/setup test
	$(TEST_RUN)

demo:
	tools/setup demo
	tools/with-cluster tools/python demo/demo.py

bench:
	tools/setup demo
	env MODELREG_RELEASE=1 tools/with-cluster tools/python bench/bench.py

bench-mlflow:
	tools/setup test
	env MODELREG_RELEASE=1 tools/with-cluster tools/python bench/against_mlflow.py

lint:
	tools/setup lint
	tools/lint

memcheck:
	tools/setup memcheck
	env MODELREG_VALGRIND=1 SUITES=regress $(TEST_RUN)

stress:
	tools/setup test
	env MODELREG_STRESS_SECONDS=$(or $(MODELREG_STRESS_SECONDS),60) SUITES=tap "TESTS=060_model_churn 150_share_stress" $(TEST_RUN)

test-all-versions:
	tools/setup test
	tools/test-all-versions

# ---- The extension, by PGXS --------------------------------------------------

# PGXS is read for every goal but the scripts, "all" included.
ifneq (,$(or $(filter-out $(SCRIPT_GOALS),$(MAKECMDGOALS)),$(if $(MAKECMDGOALS),,all)))

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq (,$(wildcard $(PGXS)))
$(error $(PG_CONFIG) knows no PGXS: install the server development package (as root: make setup), or give PG_CONFIG)
endif

EXTENSION = modelreg
MODULE_big = modelreg
PGFILEDESC = "modelreg - model registry"

# Where this file is, as PGXS finds it; "." unless the build has a directory of
# its own.
SOURCE := $(patsubst %/,%,$(dir $(firstword $(MAKEFILE_LIST))))
sources = $(patsubst $(SOURCE)/%,%,$(sort $(wildcard $(addprefix $(SOURCE)/,$(1)))))

EXTVERSION := $(shell sed -n "s/^default_version *= *'\([^']*\)'.*/\1/p" $(SOURCE)/modelreg.control)

# The folders of the C sources; docs/architecture.md says what is where.
# := because PGXS asks "ifdef", and an empty list must not count.
OBJS := $(patsubst %.c,%.o,$(call sources,src/*.c src/*/*.c src/*/*/*.c))
C_HEADERS := $(wildcard $(SOURCE)/src/*/*.h $(SOURCE)/src/*/*/*.h)

# The install script is assembled from ordered parts.  A part says CREATE OR
# REPLACE where an update script may repeat it; an install script must not
# replace what is already there.
SQL_PARTS := $(sort $(wildcard $(SOURCE)/sql/install/*.sql))
EXTENSION_SQL := sql/modelreg--$(EXTVERSION).sql
DATA := $(call sources,sql/modelreg--*--*.sql)
DATA_built := $(EXTENSION_SQL)
DOCS := $(call sources,docs/*.md docs/*.sql)

PG_CPPFLAGS = -I$(SOURCE)/src -DMODELREG_VERSION='"$(EXTVERSION)"'

# lz4 and zstd are used if their headers are there; WITH_LZ4=no WITH_ZSTD=no
# leave them out.
has_header = $(shell printf '\043include <%s>\n' $(1) | $(CC) $(CPPFLAGS) -E - >/dev/null 2>&1 && echo yes)
WITH_LZ4 ?= $(call has_header,lz4.h)
WITH_ZSTD ?= $(call has_header,zstd.h)
ifeq (yes,$(WITH_LZ4))
PG_CPPFLAGS += -DUSE_MODELREG_LZ4
SHLIB_LINK += -llz4
endif
ifeq (yes,$(WITH_ZSTD))
PG_CPPFLAGS += -DUSE_MODELREG_ZSTD
SHLIB_LINK += -lzstd
endif

# Library names are taken from the server's own list, so that we link exactly
# what it was built with.
SHLIB_LINK += $(filter -lcrypto,$(LIBS)) $(PTHREAD_LIBS)

# WERROR and ASSERT are for developers and CI (the scripts above set both):
# other compilers warn about other things, and a server without assertions
# should not get a module that aborts.
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers $(if $(WERROR),-Werror) \
	$(if $(ASSERT),-DUSE_ASSERT_CHECKING)

REGRESS := $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --load-extension=modelreg
ISOLATION := $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
# PGXS looks for expected/ below output_iso, which we do not have.
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=modelreg
TAP_TESTS := $(if $(wildcard test/t/*.pl),1)
PROVE_TESTS = test/t/*.pl

EXTRA_CLEAN = results output_iso tmp_check regression.diffs regression.out

# Packagers configure the server with LLVM; the machine that builds may lack
# its clang.  The module then works without the inlining bitcode.
ifeq (,$(wildcard $(shell sed -n 's/^CLANG *= *//p' $(dir $(PGXS))../Makefile.global)))
override with_llvm = no
endif

include $(PGXS)

# PGXS sets these: a documentation directory of our own, or our files would lie
# among those of other extensions and could replace theirs.
docmoduledir := modelreg

# Makefile.global sets it, so it is added to afterwards.
PROVE_FLAGS += -I test/t

# PGXS tracks no headers, and makes no directories (nor could a rule: make would
# find those of the sources).
$(OBJS) $(OBJS:.o=.bc): $(C_HEADERS)
ifneq (.,$(SOURCE))
$(shell mkdir -p $(sort $(dir $(OBJS) $(EXTENSION_SQL))))
endif

$(EXTENSION_SQL): $(SQL_PARTS) $(SOURCE)/modelreg.control
	sed 's/^CREATE OR REPLACE /CREATE /' $(SQL_PARTS) > $@

endif
