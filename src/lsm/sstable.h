/* SSTables: immutable files of stripes in the order of their keys. docs/formats/sstable.md describes
 * the bytes.
 *
 * Writing: any thread encodes stripes, the writer appends them in order and ends with what is needed to
 * find them. Reading: the file is mapped where it can be, else held in memory; its ends are checked
 * when it is opened, a segment when it is first used. */
#ifndef STOA_LSM_SSTABLE_H
#define STOA_LSM_SSTABLE_H

#include <stoa/context.h>

#include "base/hash.h"
#include "lsm/key_bytes.h"
#include "lsm/key_cells.h"
#include "lsm/range_set.h"
#include "lsm/stripe_read.h"
#include "vfs/vfs.h"

/* What is known of a column in a stripe. Bounds are the first 8 bytes of a value's key form (see
 * stoa_key_encode, ascending): of values of 8 bytes and fewer they are the values. */
typedef struct stoa_zone {
    uint64_t lower;
    uint64_t upper;
    uint32_t null_count;
    uint32_t has_bounds; /* 0 or 1; there is a value, and its type has an order */
} stoa_zone;

/* A stripe that is ready to be written; all-zero but for its buffers' pool is empty. */
typedef struct stoa_sst_stripe {
    stoa_buffer bytes;
    stoa_buffer entry;      /* in the directory, but for the offset */
    stoa_buffer hashes;     /* of its different keys: uint64_t, for the filter */
    stoa_compression codec; /* of its segments; the stripes of a file have one */
} stoa_sst_stripe;

void stoa_sst_stripe_init(stoa_sst_stripe *stripe, stoa_pool *pool);
void stoa_sst_stripe_release(stoa_sst_stripe *stripe);

/// Encodes rows, in place of what the stripe held, with the encoder's codec: none, lz4_raw or zstd.
///
/// Errors   STOA_LIMIT  4 GiB in one stripe; STOA_NO_MEMORY
/// Threads  Different encoders at once.
STOA_MUST_USE stoa_status stoa_sst_stripe_encode(stoa_stripe_encoder *encoder,
                                                 const stoa_stripe_layout *layout,
                                                 const stoa_stripe_rows *rows, stoa_sst_stripe *out,
                                                 stoa_error *err);

typedef struct stoa_sst_writer stoa_sst_writer;

typedef struct stoa_sst_summary {
    uint64_t file_bytes;
    int64_t row_count;
    int64_t stripe_count;
    int64_t delete_count; /* rows that are deletions, and ranges */
    int64_t range_count;
    uint64_t sequence_min; /* of rows and ranges; UINT64_MAX where there is neither */
    uint64_t sequence_max;
} stoa_sst_summary;

/* Of the bloom filter, for each key; what 0 means: one key in a hundred that is not there is looked for. */
enum { STOA_SST_FILTER_BITS = 10, STOA_SST_FILTER_BITS_MAX = 64 };

/// `filter_bits`: as stoa_state_table_options has it; 0: STOA_SST_FILTER_BITS, -1: no filter. The filter
/// takes 8 bytes of memory a key until it is written. Borrows the file (opened for sequential writes)
/// and the layout until close.
STOA_MUST_USE stoa_status stoa_sst_writer_create(const stoa_context *context, stoa_file *file,
                                                 const stoa_stripe_layout *layout,
                                                 int32_t filter_bits, stoa_sst_writer **out,
                                                 stoa_error *err);
/// Appends a stripe whose keys are not less than those before, and which has the codec of those. Not used
/// further after an error.
STOA_MUST_USE stoa_status stoa_sst_writer_add(stoa_sst_writer *writer,
                                              const stoa_sst_stripe *stripe, stoa_error *err);
/// Adds a range of deletions; its keys are copied. In any order, before or after stripes.
///
/// Errors   STOA_INVALID  a key of more than STOA_KEY_BYTES_MAX bytes; STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_sst_writer_add_range(stoa_sst_writer *writer,
                                                    const stoa_key_range *range, stoa_error *err);
/// Writes the ends and syncs the file.
STOA_MUST_USE stoa_status stoa_sst_writer_finish(stoa_sst_writer *writer, stoa_sst_summary *out,
                                                 stoa_error *err);
/// NULL is allowed.
void stoa_sst_writer_close(stoa_sst_writer *writer);

/* ---- Reading --------------------------------------------------------------------------------- */

typedef struct stoa_sst stoa_sst;

/* A stripe and what the directory says of it. */
typedef struct stoa_sst_member {
    stoa_stripe stripe;
    const stoa_zone *zones;
    const uint8_t *entry; /* in the directory */
    uint32_t entry_size;
    const uint8_t *first_key;
    const uint8_t *last_key;
    uint32_t first_key_size;
    uint32_t last_key_size;
    uint32_t delete_count;
    uint32_t merge_count; /* rows are puts where both are 0 */
    uint64_t offset;
    uint64_t sequence_min;
    uint64_t sequence_max;
} stoa_sst_member;

/* A row; at the end of the table `stripe` is the count of stripes and `row` 0. */
typedef struct stoa_sst_position {
    int64_t stripe;
    uint32_t row;
} stoa_sst_position;

/// Opens a table whose rows have the layout's key, and its schema or an older one: columns are always the
/// layout's (see stripe_schema.h).
///
/// Errors   STOA_CORRUPT      no such file, or damage in what is checked now (with byte): directory,
///                            schema and ranges
///          STOA_UNSUPPORTED  a newer version of the format, or a section that a reader has to know
///          STOA_INVALID      another key, or a schema that is no older one
///          STOA_IO, STOA_NO_MEMORY
/// Owns     Takes the file, also on error; borrows the layout.
STOA_MUST_USE stoa_status stoa_sst_open(const stoa_context *context, stoa_file *file,
                                        const stoa_stripe_layout *layout, stoa_sst **out,
                                        stoa_error *err);
/// NULL is allowed.
void stoa_sst_close(stoa_sst *table);

const stoa_sst_summary *stoa_sst_summary_of(const stoa_sst *table);
/// The open file, borrowed: what it held when it was opened, even where another process has removed it.
stoa_file *stoa_sst_file(const stoa_sst *table);
/// A hash of all that lies behind the stripes: checksums of every segment among it. With name and size it
/// tells a file from others that had the same number.
uint64_t stoa_sst_mark(const stoa_sst *table);
/// What its segments may be compressed with.
stoa_compression stoa_sst_codec(const stoa_sst *table);
/// Bytes of segments that were decompressed: they are charged to the pool until the table is closed.
///
/// Threads  Any.
uint64_t stoa_sst_memory_bytes(const stoa_sst *table);
const stoa_stripe *stoa_sst_stripe_at(const stoa_sst *table, int64_t stripe);
const stoa_sst_member *stoa_sst_member_at(const stoa_sst *table, int64_t stripe);
/// Whether what was read of the file so far is what it holds: to be asked after values were read
/// through stoa_sst_stripe_at.
///
/// Errors   STOA_IO  it was cut, or the disk could not read it
STOA_MUST_USE stoa_status stoa_sst_check_map(const stoa_sst *table, stoa_error *err);
/// NULL for a column of the key.
const stoa_zone *stoa_sst_zone(const stoa_sst *table, int64_t stripe, int32_t column);

/// Its ranges of deletions, ready for queries.
const stoa_range_set *stoa_sst_ranges(const stoa_sst *table);

/// The bounds of all that the table says something of, rows and ranges: every key that it has or
/// deletes is between `first` and `last`. Both stay empty where there is nothing. A bound may be no key:
/// the last key before the end of a range of keys of any length is as long as a key can be.
STOA_MUST_USE stoa_status stoa_sst_bounds(const stoa_sst *table, stoa_buffer *first,
                                          stoa_buffer *last, stoa_error *err);

/// The hash that filters are asked by.
static inline uint64_t stoa_sst_key_hash(const uint8_t *key, size_t size) {
    return stoa_hash64(key, size);
}
/// False when the table certainly has no row of a key with this hash (it may have a range). A filter
/// that is damaged, which is checked at first use, is told to the logger and not asked again.
///
/// Threads  Any.
bool stoa_sst_may_contain(stoa_sst *table, uint64_t hash);

/// The first row whose key is not less than these bytes (of stoa_key_encode, perhaps of the first
/// parts only).
STOA_MUST_USE stoa_status stoa_sst_find(const stoa_sst *table, const uint8_t *key, size_t size,
                                        stoa_sst_position *out, stoa_error *err);

/// Gives every row this sequence number, where the file says 0 of all of them and has no ranges: files
/// of bulk loads get theirs when they are committed, and the manifest keeps it. Before others read.
void stoa_sst_set_sequence(stoa_sst *table, uint64_t sequence);

/* ---- Gets ------------------------------------------------------------------------------------ */

/* A key that is looked for; borrows its bytes. */
typedef struct stoa_sst_key {
    const uint8_t *bytes; /* as stoa_key_encode gives them, all parts */
    size_t size;
    uint64_t number; /* of keys that are numbers */
    uint64_t hash;
} stoa_sst_key;

static inline stoa_sst_key stoa_sst_key_of(const stoa_key_format *format, const uint8_t *bytes,
                                           size_t size) {
    return (stoa_sst_key){bytes, size,
                          format->is_number ? stoa_key_get_number(bytes, (int32_t)size) : 0,
                          stoa_sst_key_hash(bytes, size)};
}

/* What is known of a key in a table before a get: made step by step, for several keys side by side, so
 * that each finds in the cache what the step before asked for. All-zero knows nothing. */
typedef struct stoa_sst_hint {
    stoa_sst *table;
    int64_t stripe; /* -1: the key is not there */
    bool is_known;
} stoa_sst_hint;

/// Step `step` (0 to 3) of the way to a key: the filter, the stripe, its keys' places, the keys. Never fails:
/// what goes wrong the get says.
void stoa_sst_look_ahead(stoa_sst *table, const stoa_sst_key *key, int step, stoa_sst_hint *hint);

/* One version of a key. */
typedef struct stoa_sst_version {
    bool is_found; /* false: there is none, and nothing else counts */
    stoa_operation operation;
    stoa_sst_position position;
} stoa_sst_version;

/// The newest version of a key whose sequence number is at most `snapshot`. Ranges of deletions are not
/// looked at. `hint` is of the same key and table, or NULL. Segments are checked when they are first used;
/// after that nothing is locked or allocated.
///
/// Errors   STOA_CORRUPT (with file and stripe), STOA_IO
/// Threads  Any.
STOA_MUST_USE stoa_status stoa_sst_get(stoa_sst *table, const stoa_sst_key *key, uint64_t snapshot,
                                       const stoa_sst_hint *hint, stoa_sst_version *out,
                                       stoa_error *err);
/// The version of the same key before one that was found, or none.
STOA_MUST_USE stoa_status stoa_sst_before(const stoa_sst *table, const stoa_sst_key *key,
                                          stoa_sst_version *version, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sst_sequence(const stoa_sst *table,
                                            const stoa_sst_position *position, uint64_t *out,
                                            stoa_error *err);

/// Those of `columns` of a row that are not of the key, and not nested; the key's are passed over. Bytes of
/// cells lie in the file, as long as it is open, or in `storage` (one a column).
///
/// Errors   STOA_CORRUPT (with file, stripe and column), STOA_IO
/// Threads  Any.
STOA_MUST_USE stoa_status stoa_sst_cells(const stoa_sst *table, const stoa_sst_position *position,
                                         const int32_t *columns, int32_t count, stoa_cell *out,
                                         stoa_cell_storage *storage, stoa_error *err);

/// Asks for the memory that says where these columns of a stripe are, once step 1 of the way is done.
void stoa_sst_columns_prefetch(const stoa_sst *table, int64_t stripe, const int32_t *columns,
                               int32_t count);

/// Asks for the memory that reading these columns is going to need.
void stoa_sst_cells_prefetch(const stoa_sst *table, const stoa_sst_position *position,
                             const int32_t *columns, int32_t count);

/// The same for the bytes of texts among them, once what is asked for there has come.
void stoa_sst_texts_prefetch(const stoa_sst *table, const stoa_sst_position *position,
                             const int32_t *columns, int32_t count);

/// Reads every byte that no segment's opening has checked yet, decodes every segment, and holds what the
/// directory and the filter say against the rows.
STOA_MUST_USE stoa_status stoa_sst_verify(const stoa_sst *table, stoa_error *err);

/// Told of each damage; `stripe` is -1 where it is of none.
typedef void (*stoa_sst_damage_function)(void *user, int64_t stripe, const stoa_error *damage);
/// The same, past every damage. An error is what kept it from looking.
STOA_MUST_USE stoa_status stoa_sst_verify_all(const stoa_sst *table,
                                              stoa_sst_damage_function function, void *user,
                                              stoa_error *err);

/// A stripe as it lies in the file, for a file of the same stored layout; its rows are whole.
STOA_MUST_USE stoa_status stoa_sst_stripe_copy(const stoa_sst *table, int64_t stripe,
                                               stoa_sst_stripe *out, stoa_error *err);
/// What the file's rows lie by: the table's layout, or that of an older schema. Borrowed.
const stoa_stripe_layout *stoa_sst_stored_layout(const stoa_sst *table);

#endif
