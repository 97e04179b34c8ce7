/* SSTables in a repair. A stripe is whole or not: those that are whole go into a new file as they lie, with
 * the filter and the directory made anew. The new file has its place in the level of the old one, as its
 * keys and its numbers are some of that one's. */
#include <inttypes.h>
#include <stdio.h>

#include "lsm/repair_internal.h"

enum { KEY_TEXT_BYTES = 48 };

stoa_status stoa_repair_uri(const stoa_repair *repair, const char *name, char **out,
                            stoa_error *err) {
    return stoa_vfs_join(repair->place.context.pool, repair->place.directory, name, out, err);
}

static stoa_status file_uri(const stoa_repair *repair, uint64_t number, char **out,
                            stoa_error *err) {
    char name[32];
    (void)snprintf(name, sizeof name, "%016" PRIx64 ".sst", number);
    return stoa_repair_uri(repair, name, out, err);
}

uint64_t stoa_repair_new_file(void *user) {
    stoa_repair *repair = user;
    return ++repair->file_max;
}

static stoa_status open_sst(const stoa_repair *repair, uint64_t number,
                            const stoa_definition *definition, stoa_sst **out, stoa_error *err) {
    stoa_file *file = NULL;
    char *uri = NULL;
    STOA_TRY(file_uri(repair, number, &uri, err));
    const stoa_status status = stoa_vfs_open(repair->place.file_systems, uri, STOA_OPEN_READ,
                                             &repair->place.context, &file, err);
    stoa_pool_free_string(repair->place.context.pool, uri);
    STOA_TRY(status);
    return stoa_sst_open(&repair->place.context, file, &definition->layout, out, err);
}

/* ---- Looking --------------------------------------------------------------------------------- */

static void print_key(const stoa_repair *repair, const stoa_key_format *format, const uint8_t *key,
                      size_t size, char out[KEY_TEXT_BYTES]) {
    stoa_buffer text;
    stoa_buffer_init(&text, repair->place.context.pool);
    (void)snprintf(out, KEY_TEXT_BYTES, "?");
    if (stoa_key_print(format, repair->place.context.pool, key, size, &text, NULL) == STOA_OK &&
        text.size > 0) {
        const int shown = text.size < KEY_TEXT_BYTES - 4 ? (int)text.size : KEY_TEXT_BYTES - 4;
        (void)snprintf(out, KEY_TEXT_BYTES, "%.*s%s", shown, (const char *)text.data,
                       shown < (int)text.size ? "..." : "");
    }
    stoa_buffer_release(&text);
}

/* Says what cannot be read, before why. */
static void wrap_loss(stoa_repair *repair, const stoa_repair_file *file, int64_t rows,
                      const uint8_t *first, size_t first_size, const uint8_t *last,
                      size_t last_size, stoa_error *damage) {
    char from[KEY_TEXT_BYTES], to[KEY_TEXT_BYTES];
    const stoa_key_format *format = &file->table->definition->key;
    print_key(repair, format, first, first_size, from);
    print_key(repair, format, last, last_size, to);
    stoa_wrap(damage, "%" PRId64 " row%s with keys from %s to %s cannot be read", rows,
              rows == 1 ? "" : "s", from, to);
    repair->result.lost_row_count += rows;
}

struct looking {
    stoa_repair *repair;
    stoa_repair_file *file;
};

static void note_damage(void *user, int64_t stripe, const stoa_error *damage) {
    const struct looking *looking = user;
    stoa_repair_file *file = looking->file;
    stoa_error told = *damage;
    file->is_damaged = true;
    if (stripe >= 0) {
        const stoa_sst_member *member = stoa_sst_member_at(file->sst, stripe);
        file->bad[stripe] = 1;
        looking->repair->result.lost_stripe_count++;
        wrap_loss(looking->repair, file, member->stripe.row_count, member->first_key,
                  member->first_key_size, member->last_key, member->last_key_size, &told);
    }
    stoa_repair_report(looking->repair, file->table->id, &told);
}

/* Nothing of the file can be had: what there was is known from the manifest. */
static void note_loss(stoa_repair *repair, stoa_repair_file *file, stoa_error *damage) {
    const stoa_table_file_info *info = file->info;
    file->is_damaged = true;
    repair->result.lost_file_count++;
    wrap_loss(repair, file, info->row_count, info->first_key.data, info->first_key.size,
              info->last_key.data, info->last_key.size, damage);
    stoa_repair_report(repair, file->table->id, damage);
}

static stoa_status open_file(stoa_repair *repair, stoa_repair_file *file, stoa_error *err) {
    const stoa_status status = open_sst(repair, file->number, file->table->definition,
                                        &file->sst, err);
    if (status == STOA_NOT_FOUND || status == STOA_CORRUPT || status == STOA_INVALID) {
        file->is_missing = status == STOA_NOT_FOUND;
        note_loss(repair, file, err);
        return STOA_OK;
    }
    STOA_TRY(status);
    return stoa_arena_allocate(&repair->arena,
                               (size_t)stoa_sst_summary_of(file->sst)->stripe_count + 1,
                               (void **)&file->bad, err);
}

static bool is_wanted(const stoa_repair *repair, int64_t table_id) {
    const stoa_store_repair_options *options = repair->options;
    bool found = options->tables == NULL;
    for (int64_t i = 0; !found && i < options->table_count; i++) {
        found = options->tables[i] == table_id;
    }
    return found;
}

stoa_status stoa_repair_open_files(stoa_repair *repair, stoa_error *err) {
    const stoa_manifest_state *state = &repair->contents.state;
    STOA_TRY(stoa_arena_allocate_array(&repair->arena, (size_t)state->file_count + 1,
                                       sizeof *repair->files, (void **)&repair->files, err));
    for (int64_t i = 0; i < state->file_count; i++) {
        if (is_wanted(repair, state->files[i].table_id)) {
            stoa_repair_file *file = &repair->files[repair->file_count++];
            file->info = &state->files[i].info;
            file->number = file->info->number;
            file->table = stoa_repair_find_table(repair, state->files[i].table_id);
            STOA_TRY(open_file(repair, file, err));
        }
    }
    return STOA_OK;
}

stoa_status stoa_repair_verify_files(stoa_repair *repair, stoa_error *err) {
    for (int64_t i = 0; i < repair->file_count; i++) {
        struct looking looking = {repair, &repair->files[i]};
        repair->result.file_count++;
        repair->result.byte_count += repair->files[i].info->bytes;
        if (repair->files[i].sst != NULL) {
            STOA_TRY(stoa_sst_verify_all(repair->files[i].sst, note_damage, &looking, err));
        }
    }
    return STOA_OK;
}

void stoa_repair_close_files(stoa_repair *repair) {
    for (int64_t i = 0; i < repair->file_count; i++) {
        stoa_sst_close(repair->files[i].sst);
    }
}

/* ---- Writing --------------------------------------------------------------------------------- */

static stoa_status copy_stripes(const stoa_repair_file *file, stoa_sst_writer *writer,
                                stoa_sst_stripe *stripe, stoa_error *err) {
    for (int64_t i = 0; i < stoa_sst_summary_of(file->sst)->stripe_count; i++) {
        if (file->bad[i] == 0) {
            STOA_TRY(stoa_sst_stripe_copy(file->sst, i, stripe, err));
            STOA_TRY(stoa_sst_writer_add(writer, stripe, err));
        }
    }
    const stoa_range_set *ranges = stoa_sst_ranges(file->sst);
    for (int64_t i = 0; i < ranges->count; i++) {
        STOA_TRY(stoa_sst_writer_add_range(writer, &ranges->ranges[i], err));
    }
    return STOA_OK;
}

static stoa_status write_rest(const stoa_repair *repair, const stoa_repair_file *file,
                              uint64_t number, stoa_sst_summary *out, stoa_error *err) {
    stoa_pool *pool = repair->place.context.pool;
    stoa_sst_writer *writer = NULL;
    stoa_file *target = NULL;
    char *uri = NULL;
    stoa_sst_stripe stripe;
    stoa_sst_stripe_init(&stripe, pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(file_uri(repair, number, &uri, err));
    STOA_CHECK(stoa_vfs_open(repair->place.file_systems, uri, STOA_OPEN_REPLACE,
                             &repair->place.context, &target, err));
    STOA_CHECK(stoa_sst_writer_create(&repair->place.context, target,
                                      stoa_sst_stored_layout(file->sst),
                                      file->table->definition->filter_bits, &writer, err));
    STOA_CHECK(copy_stripes(file, writer, &stripe, err));
    STOA_CHECK(stoa_sst_writer_finish(writer, out, err));

done:
    stoa_sst_writer_close(writer);
    stoa_sst_stripe_release(&stripe);
    stoa_file_close(target);
    stoa_pool_free_string(pool, uri);
    return status;
}

stoa_status stoa_repair_add_file(stoa_repair *repair, int64_t table_id,
                                 const stoa_table_file_info *info, stoa_error *err) {
    stoa_manifest_file added = {table_id, *info};
    const stoa_buffer *const keys[] = {&info->first_key, &info->last_key};
    stoa_buffer *const copies[] = {&added.info.first_key, &added.info.last_key};
    for (int i = 0; i < 2; i++) {
        const char *copy = NULL;
        STOA_TRY(stoa_arena_copy_text(&repair->arena,
                                      keys[i]->size > 0 ? (const char *)keys[i]->data : "",
                                      keys[i]->size, &copy, err));
        *copies[i] = (stoa_buffer){.data = (uint8_t *)(uintptr_t)copy, .size = keys[i]->size};
    }
    return stoa_buffer_append(&repair->added, &added, sizeof added, err);
}

/* What the manifest says of the new file. One of a bulk load has its number from there, still. */
static stoa_status add_rest(stoa_repair *repair, const stoa_repair_file *file, uint64_t number,
                            const stoa_sst_summary *summary, stoa_error *err) {
    const bool is_bulk = stoa_sst_summary_of(file->sst)->sequence_max == 0;
    stoa_table_file_info info = *file->info;
    stoa_sst *sst = NULL;
    info.number = number;
    info.bytes = summary->file_bytes;
    info.row_count = summary->row_count;
    info.delete_count = summary->delete_count;
    info.sequence_min = is_bulk ? info.sequence_min : summary->sequence_min;
    info.sequence_max = is_bulk ? info.sequence_max : summary->sequence_max;
    STOA_TRY(open_sst(repair, number, file->table->definition, &sst, err));
    stoa_buffer_init(&info.first_key, repair->place.context.pool);
    stoa_buffer_init(&info.last_key, repair->place.context.pool);
    stoa_status status = stoa_sst_bounds(sst, &info.first_key, &info.last_key, err);
    if (status == STOA_OK) {
        status = stoa_repair_add_file(repair, file->table->id, &info, err);
    }
    stoa_table_file_info_release(&info);
    stoa_sst_close(sst);
    return status;
}

static bool has_rest(const stoa_repair_file *file) {
    if (file->sst == NULL) {
        return false;
    }
    const stoa_sst_summary *summary = stoa_sst_summary_of(file->sst);
    bool found = summary->range_count > 0;
    for (int64_t i = 0; !found && i < summary->stripe_count; i++) {
        found = file->bad[i] == 0;
    }
    return found;
}

stoa_status stoa_repair_write_files(stoa_repair *repair, stoa_error *err) {
    for (int64_t i = 0; i < repair->file_count; i++) {
        const stoa_repair_file *file = &repair->files[i];
        if (!file->is_damaged) {
            continue;
        }
        const stoa_manifest_removal removal = {file->table->id, file->number};
        STOA_TRY(stoa_buffer_append(&repair->removed, &removal, sizeof removal, err));
        if (has_rest(file)) {
            const uint64_t number = stoa_repair_new_file(repair);
            stoa_sst_summary summary;
            STOA_TRY(write_rest(repair, file, number, &summary, err));
            STOA_TRY(add_rest(repair, file, number, &summary, err));
        }
    }
    return STOA_OK;
}
