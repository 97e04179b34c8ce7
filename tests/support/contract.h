/* The contract of file systems (include/stoa/fs.h) as tests that any of them, and any stack of them,
 * joins with a few lines:
 *
 *     static void open_mine(contract_world *world) {
 *         … make a file system …
 *         stoa_fs_register(world->registry, "mine", fs, …);
 *         snprintf(world->base, sizeof world->base, "mine:/base");
 *     }
 *     static const contract_subject subjects[] = {
 *         {.name = "mine", .open = open_mine, .lacks = CONTRACT_LACKS_LOCK},
 *     };
 *     int main(void) {
 *         return contract_run(subjects, 1);
 *     }
 *
 * Tests that need what a subject lacks are left out, and one checks that asking for it is
 * STOA_UNSUPPORTED. A thread_*.c calls contract_run_threads. */
#ifndef STOA_TESTS_CONTRACT_H
#define STOA_TESTS_CONTRACT_H

#include "support.h"

enum { CONTRACT_URI_BYTES = 2048 };

/// What a file system does not offer.
enum {
    CONTRACT_LACKS_WRITE = 1, /* files are put by the subject's `put` */
    CONTRACT_LACKS_APPEND = 2,
    CONTRACT_LACKS_TRUNCATE = 4,
    CONTRACT_LACKS_RENAME = 8,
    CONTRACT_LACKS_REMOVE = 16,
    CONTRACT_LACKS_LIST = 32, /* and so no patterns and no trees */
    CONTRACT_LACKS_LOCK = 64,
    CONTRACT_LACKS_PUT_IF = 128,
    CONTRACT_LACKS_MAP = 256,
    CONTRACT_LACKS_DIRECTORIES = 512, /* cannot make or sync any */
    CONTRACT_LACKS_UPDATE = 1024,     /* no STOA_OPEN_UPDATE, and so no writable maps */
    CONTRACT_LACKS_LINK = 2048,
    CONTRACT_READ_ONLY = CONTRACT_LACKS_WRITE | CONTRACT_LACKS_APPEND | CONTRACT_LACKS_TRUNCATE |
                         CONTRACT_LACKS_RENAME | CONTRACT_LACKS_REMOVE | CONTRACT_LACKS_LOCK |
                         CONTRACT_LACKS_PUT_IF | CONTRACT_LACKS_DIRECTORIES |
                         CONTRACT_LACKS_UPDATE | CONTRACT_LACKS_LINK
};

/// How it differs otherwise.
enum {
    CONTRACT_NAMES_ARE_UTF8 = 1,      /* names of other bytes are refused */
    CONTRACT_VERSIONS_ARE_COARSE = 2, /* a change within a second that keeps the size goes unseen */
    CONTRACT_SIZES_ARE_STORED = 4,    /* stat and list tell other sizes than an open file */
    CONTRACT_OPEN_FILES_CHANGE = 8,   /* reading a file that was replaced or removed may fail */
    CONTRACT_READS_AHEAD = 16         /* opening brings bytes, so that a read need not wait */
};

typedef struct contract_subject contract_subject;

typedef struct contract_world {
    const contract_subject *subject;
    stoa_pool *pool;
    stoa_fs_registry *registry;
    char base[CONTRACT_URI_BYTES / 2]; /* a directory of the test's own, without a last '/' */
    void *user;                        /* the subject's */
    stoa_error err;
} contract_world;

struct contract_subject {
    const char *name;
    /// Registers the file system in `world->registry` and sets `world->base`. Where there are
    /// directories, the suite makes it.
    void (*open)(contract_world *world);
    /// Ends what `open` started, after the registry is closed. NULL: nothing.
    void (*close)(contract_world *world);
    /// Puts a file below the base by another road. NULL: through the file system itself.
    void (*put)(contract_world *world, const char *name, const void *bytes, size_t size);
    /// The URI of a name below the base. NULL: base + "/" + name.
    void (*uri)(const contract_world *world, const char *name, char out[CONTRACT_URI_BYTES]);
    uint32_t features; /* of stoa_fs_feature; what the file system must say of itself */
    uint32_t lacks;
    uint32_t ways;
    int name_bytes_max; /* of the last part; 0: 255; -1: no limit that a test meets */
};

/// Runs every test that concerns a subject, on a world of its own each; main's answer.
int contract_run(const contract_subject *subjects, size_t count);
/// Only those with threads.
int contract_run_threads(const contract_subject *subjects, size_t count);

/* For the tests themselves ----------------------------------------------------------------------*/

typedef struct contract_test {
    const char *name;
    CMUnitTestFunction function;
    uint32_t needs;       /* of what can be lacked */
    uint32_t only, never; /* features that it needs, or must not meet */
    uint32_t only_ways, never_ways;
    bool has_threads;
} contract_test;

#define CONTRACT_TEST(test, ...) {.name = #test, .function = test, __VA_ARGS__}

/// The tests; each ends with a name of NULL.
extern const contract_test contract_reading_tests[];
extern const contract_test contract_writing_tests[];
extern const contract_test contract_naming_tests[];
extern const contract_test contract_directory_tests[];

bool contract_has(const contract_world *world, stoa_fs_feature feature);
bool contract_lacks(const contract_world *world, uint32_t lacks);
/// The URI of `name` below the base; eight are alive at a time in each thread.
const char *contract_at(const contract_world *world, const char *name);
stoa_file *contract_open(contract_world *world, const char *name, stoa_open_mode mode);
void contract_finish(contract_world *world, stoa_file *file);
void contract_put(contract_world *world, const char *name, const void *bytes, size_t size);
void contract_put_text(contract_world *world, const char *name, const char *text);
void contract_make_directories(contract_world *world, const char *name);
void contract_assert_holds(contract_world *world, const char *name, const char *text);
void contract_assert_open_fails(contract_world *world, const char *name, stoa_open_mode mode,
                                stoa_status status, const char *text);
/// The last failure names what was asked for.
void contract_assert_named(const contract_world *world, const char *name);
bool contract_exists(contract_world *world, const char *name);
/// The listing's lines "name size\n" and "name/ 0\n", sorted.
void contract_assert_lists(contract_world *world, const char *name, const char *wanted);

#endif
