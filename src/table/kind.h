/* Kinds of tables: a struct of functions each, found by name in one list.
 *
 * Both kinds of today keep a table as a list of *parts* (a Parquet file, a batch in memory); what
 * they share is done once, in plan.c, sink.c and transaction.c, and a kind only says how a part is
 * written, opened and put beside the others. */
#ifndef STOA_TABLE_KIND_H
#define STOA_TABLE_KIND_H

#include "table/part.h"
#include "table/table.h"

typedef struct stoa_table_kind {
    const char *name;
    uint32_t capabilities; /* stoa_capability */
    bool durable;          /* its tables stand in the catalog file; else they live in the process */

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
/// The names, for messages: "memory, parquet".
const char *stoa_table_kind_names(void);

extern const stoa_table_kind stoa_table_kind_memory;
extern const stoa_table_kind stoa_table_kind_parquet;

#endif
