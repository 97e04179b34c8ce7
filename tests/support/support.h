/* What every C test shares: assertions on statuses, a pool that counts and fails, drivers that make
 * the nth allocation or file-system call fail, temporary directories, random numbers from a seed.
 * README.md beside this file shows them in use. */
#ifndef STOA_TESTS_SUPPORT_H
#define STOA_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mem/pool.h"
#include "vfs/fault.h"
#include "vfs/vfs.h"

/* Assertions ------------------------------------------------------------------------------------*/

/// The call succeeds; otherwise the test fails with the message in `err`, a stoa_error variable.
#define assert_ok(call, err) support_assert_ok((call), &(err), #call, __FILE__, __LINE__)

/// The call fails with `status`, and its message contains `text` (NULL: any message but "").
#define assert_fails(call, wanted, text, err)                                                      \
    support_assert_fails((call), (wanted), (text), &(err), #call, __FILE__, __LINE__)

void support_assert_ok(stoa_status status, const stoa_error *err, const char *call,
                       const char *file, int line);
void support_assert_fails(stoa_status status, stoa_status wanted, const char *text,
                          const stoa_error *err, const char *call, const char *file, int line);

/* Memory ----------------------------------------------------------------------------------------*/

/// An allocator that knows what is out, checks sizes on release, and can fail. Thread-safe.
typedef struct support_allocator support_allocator;

support_allocator *support_allocator_create(void);
/// Fails the test when anything is still out.
void support_allocator_close(support_allocator *allocator);
stoa_allocator support_allocator_hooks(support_allocator *allocator);
/// The nth allocation from now on fails (1: the next one), once; 0: none.
void support_allocator_fail_at(support_allocator *allocator, uint64_t nth);
/// True when the allocation to fail has come.
bool support_allocator_failed(const support_allocator *allocator);
uint64_t support_allocator_live_bytes(const support_allocator *allocator);
/// Allocations since the last support_allocator_fail_at.
uint64_t support_allocator_calls(const support_allocator *allocator);

/// A root pool without a limit over a support_allocator of its own, and its closing, which fails
/// the test when anything is still out.
stoa_pool *support_pool_open(void);
void support_pool_close(stoa_pool *pool);

/* Worlds and faults -----------------------------------------------------------------------------*/

/// A world of its own for one run of a scenario: a pool that is checked for leaks, and a registry
/// whose scheme "test" is a memory file system that can fail and crash ("test:/a/b").
typedef struct support_world {
    support_allocator *allocator;
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_fault *fault;
} support_world;

void support_world_open(support_world *world);
/// Fails the test when the pool still has anything out.
void support_world_close(support_world *world);
/// Loses what was not synced and lets calls succeed again.
void support_world_crash(support_world *world, stoa_crash_mode mode, uint64_t seed);

/// Does the work under test and gives back all it took, failed or not. It asserts nothing that a
/// failure could break.
typedef stoa_status (*support_scenario)(support_world *world, void *user, stoa_error *err);

/// Looks at what a run left, with everything succeeding again: `status` is the scenario's.
typedef void (*support_check)(support_world *world, void *user, stoa_status status);

/// Runs `prepare` (nullable) and then `scenario` with the 1st, 2nd, 3rd, … allocation failing, each
/// in a new world, until it ends without meeting the fault; then it must be STOA_OK. Whenever it
/// met it: STOA_NO_MEMORY with a message (or STOA_OK, when it could do without), no leak, and
/// `check` (nullable) approves. Returns the number of runs.
uint64_t support_fail_each_allocation(support_scenario prepare, support_scenario scenario,
                                      support_check check, void *user);

/// The same for the file-system calls through "test:", with STOA_IO. Then again with every later
/// call failing as well, and with torn writes.
uint64_t support_fail_each_call(support_scenario prepare, support_scenario scenario,
                                support_check check, void *user);

/// Runs `scenario` until the machine goes down at the 1st, 2nd, 3rd, … call, loses what was not
/// synced (all of it, nothing, and parts by `seeds` seeds), and lets `check` open it again. What
/// `prepare` did is durable. At the end one run goes down only after the scenario is done:
/// `status` is STOA_OK then, and what it promised must be there.
uint64_t support_crash_at_each_call(support_scenario prepare, support_scenario scenario,
                                    support_check check, uint64_t seeds, void *user);

/* Temporary directories -------------------------------------------------------------------------*/

enum { SUPPORT_PATH_BYTES = 512 };

/// Makes an empty directory under $STOA_TMP, $TMPDIR or the system's; `out` is its absolute path.
/// It is removed with all that is in it when the program ends.
void support_temp_directory(char out[SUPPORT_PATH_BYTES]);

/* Random numbers --------------------------------------------------------------------------------*/

/// splitmix64; equal seeds give equal numbers everywhere.
typedef struct support_random {
    uint64_t state;
} support_random;

/// The seed of this run: $STOA_TEST_SEED, or one from the clock. Prints it, so that a failure can
/// be repeated.
support_random support_random_open(const char *test);
uint64_t support_random_u64(support_random *random);
/// Less than `bound`, which is not 0.
uint64_t support_random_below(support_random *random, uint64_t bound);
/// From `low` to `high`, both included.
int64_t support_random_between(support_random *random, int64_t low, int64_t high);
bool support_random_bool(support_random *random);
void support_random_bytes(support_random *random, void *out, size_t size);

#endif
