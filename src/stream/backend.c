/* A backend: its numbers, its commits, and the list of its states.
 *
 * Between two commits all writes of all states are one transaction, so that reads see them and a commit
 * is all or nothing. Numbers (positions, the group count, the last barrier, the next element of lists)
 * are rows of one table and part of the same transaction. */
#include "base/clock.h"
#include "stream/internal.h"

#include <inttypes.h>
#include <string.h>

enum { GROUP_COUNT = 128, GROUP_COUNT_MAX = 32768 };

static const char ENTRIES[] = "entries";
static const char ENTRIES_SCHEMA[] =
    "entry string not null, name string not null, number long not null";

stoa_status stoa_stream_table_name(stoa_pool *pool, const char *backend, const char *state,
                                   char **out, stoa_error *err) {
    stoa_buffer text;
    stoa_buffer_init(&text, pool);
    stoa_status status = stoa_buffer_append_format(&text, err, "%s.%s", backend, state);
    if (status == STOA_OK) {
        status = stoa_pool_copy_text(pool, (const char *)text.data, text.size, out, err);
    }
    stoa_buffer_release(&text);
    return status;
}

/* ---- Numbers ---------------------------------------------------------------------------------- */

static stoa_cell text_cell(const char *text) {
    return (stoa_cell){.bytes = text, .size = strlen(text)};
}

stoa_status stoa_stream_backend_entry_get(stoa_stream_backend *backend, const char *entry,
                                          const char *name, int64_t *out, bool *out_found,
                                          stoa_error *err) {
    const stoa_cell key[] = {text_cell(entry), text_cell(name)};
    STOA_TRY(stoa_state_transaction_get(backend->transaction, backend->entries, key, backend->entry,
                                        out_found, err));
    *out = *out_found ? stoa_row_cells(backend->entry)[0].i : 0;
    return STOA_OK;
}

stoa_status stoa_stream_backend_entry_set(stoa_stream_backend *backend, const char *entry,
                                          const char *name, int64_t number, stoa_error *err) {
    const stoa_cell row[] = {text_cell(entry), text_cell(name), {.i = number}};
    return stoa_state_transaction_put(backend->transaction, backend->entries, row, err);
}

stoa_status stoa_stream_backend_position_set(stoa_stream_backend *backend, const char *input,
                                             int64_t position, stoa_error *err) {
    return stoa_stream_backend_entry_set(backend, "position", input, position, err);
}

stoa_status stoa_stream_backend_position_get(stoa_stream_backend *backend, const char *input,
                                             int64_t *out, bool *out_found, stoa_error *err) {
    return stoa_stream_backend_entry_get(backend, "position", input, out, out_found, err);
}

stoa_status stoa_stream_backend_checkpoint_get(stoa_stream_backend *backend, int64_t *out,
                                               bool *out_found, stoa_error *err) {
    return stoa_stream_backend_entry_get(backend, "checkpoint", "", out, out_found, err);
}

/* ---- Commits ---------------------------------------------------------------------------------- */

static stoa_stream_state **states_of(const stoa_stream_backend *backend, int64_t *out_count) {
    *out_count = (int64_t)(backend->states.size / sizeof(stoa_stream_state *));
    return (stoa_stream_state **)(void *)backend->states.data;
}

/* What is known beside the tables is read again where a transaction is given up. */
static stoa_status read_next_element(stoa_stream_backend *backend, stoa_error *err) {
    bool found;
    backend->has_elements = false;
    return stoa_stream_backend_entry_get(backend, "element", "", &backend->next_element, &found,
                                         err);
}

static stoa_status begin(stoa_stream_backend *backend, stoa_error *err) {
    stoa_state_transaction *begun = NULL;
    STOA_TRY(stoa_state_transaction_begin(backend->entries, &begun, err));
    stoa_state_transaction_close(backend->transaction);
    backend->transaction = begun;
    return STOA_OK;
}

stoa_status stoa_stream_backend_commit(stoa_stream_backend *backend, stoa_durability durability,
                                       stoa_error *err) {
    if (backend->has_elements) {
        STOA_TRY(stoa_stream_backend_entry_set(backend, "element", "", backend->next_element, err));
        backend->has_elements = false;
    }
    STOA_TRY(stoa_state_transaction_commit(backend->transaction, durability, err));
    return begin(backend, err);
}

stoa_status stoa_stream_backend_rollback(stoa_stream_backend *backend, stoa_error *err) {
    int64_t count;
    stoa_stream_state **states = states_of(backend, &count);
    STOA_TRY(begin(backend, err));
    for (int64_t i = 0; i < count; i++) {
        stoa_stream_forget_due(states[i]);
    }
    return read_next_element(backend, err);
}

stoa_status stoa_stream_backend_checkpoint(stoa_stream_backend *backend, int64_t barrier,
                                           stoa_error *err) {
    STOA_TRY(stoa_stream_backend_entry_set(backend, "checkpoint", "", barrier, err));
    STOA_TRY(stoa_stream_backend_commit(backend, STOA_DURABILITY_SYNC, err));
    return stoa_state_flush(backend->entries, err);
}

/* ---- Opening ---------------------------------------------------------------------------------- */

static stoa_status check_options(const stoa_stream_backend_options *options,
                                 stoa_stream_backend *backend, stoa_error *err) {
    backend->group_count = options->group_count == 0 ? GROUP_COUNT : options->group_count;
    backend->first_group = options->first_group;
    backend->end_group = options->end_group == 0 ? backend->group_count : options->end_group;
    if (backend->group_count < 1 || backend->group_count > GROUP_COUNT_MAX) {
        return stoa_fail(err, STOA_INVALID, "expected 1 to %d key groups but found %" PRId32,
                         GROUP_COUNT_MAX, backend->group_count);
    }
    if (backend->first_group < 0 || backend->first_group >= backend->end_group ||
        backend->end_group > backend->group_count) {
        return stoa_fail(err, STOA_INVALID,
                         "expected key groups below %" PRId32 " but found %" PRId32 " to %" PRId32,
                         backend->group_count, backend->first_group, backend->end_group);
    }
    return STOA_OK;
}

static stoa_status create_entries(stoa_stream_backend *backend, const char *table,
                                  stoa_error *err) {
    const stoa_state_table_options options = {.key = "entry, name"};
    const stoa_schema *schema = NULL;
    STOA_TRY(stoa_schema_parse(backend->pool, ENTRIES_SCHEMA, &schema, err));
    const stoa_status status = stoa_state_create(backend->database, table, schema, &options, err);
    stoa_schema_close(schema);
    return status;
}

static stoa_status open_entries(stoa_stream_backend *backend, bool create, stoa_error *err) {
    char *table = NULL;
    STOA_TRY(stoa_stream_table_name(backend->pool, backend->name, ENTRIES, &table, err));
    stoa_status status = stoa_state_open(backend->database, table, &backend->entries, err);
    if (status == STOA_NOT_FOUND && create) {
        status = create_entries(backend, table, err);
        if (status == STOA_OK) {
            status = stoa_state_open(backend->database, table, &backend->entries, err);
        }
    }
    stoa_pool_free_string(backend->pool, table);
    return status;
}

/* The group count is as good as part of every key: it is written once. */
static stoa_status settle_groups(stoa_stream_backend *backend, bool create, stoa_error *err) {
    int64_t count;
    bool found;
    STOA_TRY(stoa_stream_backend_entry_get(backend, "groups", "", &count, &found, err));
    if (!found && create) {
        STOA_TRY(stoa_stream_backend_entry_set(backend, "groups", "", backend->group_count, err));
        return stoa_stream_backend_commit(backend, STOA_DURABILITY_DEFAULT, err);
    }
    return count == backend->group_count
               ? STOA_OK
               : stoa_fail(err, STOA_INVALID,
                           "backend '%s': expected its %" PRId64 " key groups but found %" PRId32,
                           backend->name, count, backend->group_count);
}

static stoa_status open_stream(stoa_database *database, const stoa_stream_backend_options *options,
                               bool create, stoa_stream_backend **out, stoa_error *err) {
    stoa_pool *pool = stoa_database_pool(database);
    stoa_stream_backend *made = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *made, (void **)&made, err));
    made->pool = pool;
    made->database = database;
    stoa_buffer_init(&made->states, pool);
    STOA_CHECK(check_options(options, made, err));
    STOA_CHECK(stoa_pool_copy_string(pool, options->name, &made->name, err));
    STOA_CHECK(open_entries(made, create, err));
    STOA_CHECK(stoa_row_create(made->entries, "number", &made->entry, err));
    STOA_CHECK(begin(made, err));
    STOA_CHECK(settle_groups(made, create, err));
    STOA_CHECK(read_next_element(made, err));
    *out = made;
    return STOA_OK;

done:
    stoa_stream_backend_close(made);
    return status;
}

stoa_status stoa_stream_backend_open(stoa_database *database,
                                     const stoa_stream_backend_options *options,
                                     stoa_stream_backend **out, stoa_error *err) {
    return open_stream(database, options, true, out, err);
}

stoa_status stoa_stream_backend_attach(stoa_database *database,
                                       const stoa_stream_backend_options *options,
                                       stoa_stream_backend **out, stoa_error *err) {
    return open_stream(database, options, false, out, err);
}

void stoa_stream_backend_close(stoa_stream_backend *backend) {
    int64_t count;
    if (backend == NULL) {
        return;
    }
    stoa_stream_state **states = states_of(backend, &count);
    stoa_state_transaction_close(backend->transaction);
    for (int64_t i = 0; i < count; i++) {
        stoa_stream_state_close(states[i]);
    }
    stoa_row_close(backend->entry);
    stoa_state_close(backend->entries);
    stoa_buffer_release(&backend->states);
    stoa_pool_free_string(backend->pool, backend->name);
    stoa_pool_free(backend->pool, backend, sizeof *backend);
}
