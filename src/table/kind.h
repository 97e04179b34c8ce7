/* Kinds of tables: a struct of functions each, found by name in one list.
 *
 * Most kinds keep a table as a list of *parts* (a Parquet file, a batch in memory); what they share is
 * done once, in plan.c, sink.c and transaction.c, and a kind only says how a part is written, opened
 * and put beside the others. A kind that keeps its rows by itself has an access method: the catalog
 * knows such a table's name and schema, and parts are only what a transaction has staged for it. */
#ifndef STOA_TABLE_KIND_H
#define STOA_TABLE_KIND_H

#include "table/part.h"
#include "table/table.h"

typedef struct stoa_entry stoa_entry;

struct stoa_change;
struct stoa_view; /* view.h */

/* What is verified of tables that are no lists of parts. */
typedef struct stoa_kind_check {
    const struct stoa_view *view;
    const stoa_entry *entry; /* NULL: all of the view that are of the kind */
    stoa_context context;
    stoa_damage_function function; /* told of each damage */
    void *user;
    int64_t files; /* read so far */
    uint64_t bytes;
} stoa_kind_check;

/* How the rows of a kind are reached that keeps them by itself. */
typedef struct stoa_access_method {
    /* Makes `plan->kept`, what the table holds at one moment; within a transaction it is the same
     * moment for all plans. Called under the transaction's lock. */
    stoa_status (*pin)(stoa_plan *plan, stoa_transaction *transaction, stoa_error *err);
    void (*unpin)(stoa_plan *plan);
    /* Fills in splits and counts; `plan->exact` stands. */
    stoa_status (*split)(stoa_plan *plan, stoa_error *err);
    /* A split's rows that the plan's predicate takes, with these columns (positions in the table's
     * schema; NULL: all). */
    stoa_status (*open)(stoa_plan *plan, int32_t split, const int32_t *columns,
                        int32_t column_count, const stoa_context *context,
                        struct ArrowArrayStream *out, stoa_error *err);

    /* Commits, under the database's commit lock. `create` makes a table with the rows that are
     * staged for it, which nobody sees before the catalog names it; `remove` takes it back, and
     * removes tables that the catalog has forgotten, best effort. `write` makes what is staged for
     * all these tables, which exist, visible in one step. */
    stoa_status (*create)(stoa_database *database, const struct stoa_change *change,
                          stoa_error *err);
    void (*remove)(stoa_database *database, int64_t table_id);
    stoa_status (*write)(stoa_transaction *transaction, struct stoa_change *const *changes,
                         int64_t count, stoa_error *err);
    /* Before anything of a table is changed that the catalog has too. */
    stoa_status (*check_writable)(stoa_database *database, stoa_error *err);

    /* The columns that the table has by what it keeps itself, of which the catalog's are a copy: a
     * reference. Within a transaction they are those of the moment that `pin` takes. */
    stoa_status (*schema)(stoa_database *database, stoa_transaction *transaction,
                          const stoa_entry *entry, const stoa_schema **out, stoa_error *err);
    /* The columns of a table's key, in its order, as a schema. The caller closes it. */
    stoa_status (*key_schema)(stoa_database *database, const stoa_entry *entry,
                              const stoa_schema **out, stoa_error *err);
    /* Counts and bytes into `out`; those that are not known without reading rows are -1. */
    stoa_status (*describe)(stoa_database *database, const stoa_entry *entry, stoa_table_info *out,
                            stoa_error *err);
    stoa_status (*files)(stoa_database *database, const stoa_entry *entry,
                         stoa_file_function function, void *user, stoa_error *err);
    /* Reads every byte of one table, or of all tables of the kind, and what they share. */
    stoa_status (*verify)(stoa_database *database, stoa_kind_check *check, stoa_error *err);
} stoa_access_method;

typedef struct stoa_table_kind {
    const char *name;
    uint32_t capabilities; /* stoa_capability */
    bool durable;          /* its tables stand in the catalog file; else they live in the process */
    bool anywhere;         /* durable ones, too, may live in the process: of a database in memory */
    const stoa_access_method *access; /* NULL: its tables are lists of parts */

    /* A writer turns batches in canonical layout into parts. `write` takes the batch, also on
     * error. `finish` appends to `out` what it made; nothing of it is visible yet. */
    stoa_status (*writer_open)(const stoa_sink *sink, void **out, stoa_error *err);
    stoa_status (*writer_write)(void *writer, struct ArrowArray *batch, stoa_error *err);
    stoa_status (*writer_finish)(void *writer, stoa_part_vector *out, stoa_error *err);
    void (*writer_close)(void *writer);

    /* Makes durable that the parts exist, before a catalog may name them; may be NULL. */
    stoa_status (*settle)(const stoa_sink *sink, stoa_error *err);

    /* Appends `added` to the parts of a table; NULL: side by side. */
    stoa_status (*combine)(stoa_database *database, const stoa_schema *schema,
                           stoa_part_vector *parts, const stoa_part_vector *added, stoa_error *err);
} stoa_table_kind;

/// NULL when nobody registered the name.
const stoa_table_kind *stoa_table_kind_find(const char *name);
/// The names, for messages: "memory, parquet, state".
const char *stoa_table_kind_names(void);

extern const stoa_table_kind stoa_table_kind_memory;
extern const stoa_table_kind stoa_table_kind_parquet;
extern const stoa_table_kind stoa_table_kind_state;

#endif
