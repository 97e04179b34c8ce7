/* See store_image.h. */
#include "lsm/store_image.h"

#include <string.h>

#include "lsm/flush.h"
#include "lsm/store_internal.h"

/* ---- One moment ------------------------------------------------------------------------------ */

static int64_t file_count(const stoa_version *version) {
    int64_t count = 0;
    for (int32_t i = 0; i < STOA_LEVELS; i++) {
        count += version->levels[i].count;
    }
    return count;
}

/* The view of table `index`; stoa_store_image_init has found it. */
static const stoa_state_view *view_of(const stoa_store_image *image, int32_t index) {
    stoa_view_reading reading;
    const stoa_status status = stoa_store_pin_reading(image->pin, image->state.tables[index].id,
                                                      &reading, NULL);
    STOA_ASSERT(status == STOA_OK);
    (void)status;
    return reading.view;
}

static stoa_status copy_definition(stoa_store_image *image, const stoa_definition *definition,
                                   const char **out, stoa_error *err) {
    stoa_buffer text;
    stoa_buffer_init(&text, image->store->pool);
    stoa_status status = stoa_definition_print(definition, &text, err);
    if (status == STOA_OK) {
        const char *printed = (const char *)text.data;
        status = stoa_arena_copy_text(&image->arena, printed, strlen(printed), out, err);
    }
    stoa_buffer_release(&text);
    return status;
}

static stoa_status take_tables(stoa_store_image *image, const int64_t *ids, int32_t count,
                               int64_t *out_files, stoa_error *err) {
    stoa_manifest_state *state = &image->state;
    STOA_TRY(stoa_arena_allocate_array(&image->arena, (size_t)count, sizeof *state->tables,
                                       (void **)&state->tables, err));
    *out_files = 0;
    for (int32_t i = 0; i < count; i++) {
        stoa_view_reading reading;
        STOA_TRY(stoa_store_pin_reading(image->pin, ids[i], &reading, err));
        state->tables[i].id = ids[i];
        STOA_TRY(
            copy_definition(image, reading.view->definition, &state->tables[i].definition, err));
        *out_files += file_count(reading.view->version);
        state->table_count = i + 1;
    }
    return STOA_OK;
}

/* With room for one more a table. */
static stoa_status take_files(stoa_store_image *image, int64_t count, stoa_error *err) {
    stoa_manifest_state *state = &image->state;
    const int32_t tables = state->table_count;
    STOA_TRY(stoa_arena_allocate_array(&image->arena, (size_t)(count + tables),
                                       sizeof *state->files, (void **)&state->files, err));
    STOA_TRY(stoa_arena_allocate_array(&image->arena, (size_t)count, sizeof(stoa_table_file *),
                                       (void **)&image->files, err));
    for (int32_t i = 0; i < tables; i++) {
        const stoa_version *version = view_of(image, i)->version;
        for (int32_t level = 0; level < STOA_LEVELS; level++) {
            for (int64_t j = 0; j < version->levels[level].count; j++) {
                stoa_table_file *file = version->levels[level].files[j];
                image->files[image->file_count++] = file;
                state->files[state->file_count++] = (stoa_manifest_file){state->tables[i].id,
                                                                         file->info};
            }
        }
    }
    STOA_ASSERT(image->file_count == count);
    return STOA_OK;
}

stoa_status stoa_store_image_init(stoa_store_image *out, stoa_store *store, const int64_t *ids,
                                  int32_t count, stoa_error *err) {
    int64_t files = 0;
    STOA_ASSERT(store->read_only);
    *out = (stoa_store_image){.store = store};
    stoa_arena_init(&out->arena, store->pool);
    STOA_TRY(stoa_store_pin_create(store, &out->pin, err));
    STOA_TRY(take_tables(out, ids, count, &files, err));
    STOA_TRY(take_files(out, files, err));
    const stoa_manifest_state *now = stoa_manifest_state_of(store->manifest);
    const uint64_t sequence = stoa_store_pin_sequence(out->pin);
    out->state.next_file = now->next_file;
    out->state.last_sequence = sequence > now->last_sequence ? sequence : now->last_sequence;
    out->state.flushed_sequence = out->state.last_sequence;
    return STOA_OK;
}

void stoa_store_image_release(stoa_store_image *image) {
    for (int32_t i = 0; image->made != NULL && i < image->state.table_count; i++) {
        stoa_table_file_release(image->made[i]);
    }
    stoa_store_pin_release(image->pin);
    stoa_arena_release(&image->arena);
    *image = (stoa_store_image){0};
}

/* ---- What no file has ------------------------------------------------------------------------ */

static uint64_t next_file(void *user) {
    stoa_store_image *image = user;
    return image->state.next_file++;
}

static stoa_status write_memory(stoa_store_image *image, int32_t index, stoa_flush_options *options,
                                stoa_error *err) {
    stoa_manifest_state *state = &image->state;
    const stoa_state_view *view = view_of(image, index);
    options->definition = view->definition;
    STOA_TRY(stoa_flush_run(view->memtables, view->memtable_count, options, &image->made[index],
                            err));
    if (image->made[index] != NULL) {
        state->files[state->file_count++] = (stoa_manifest_file){state->tables[index].id,
                                                                 image->made[index]->info};
    }
    return STOA_OK;
}

stoa_status stoa_store_image_write(stoa_store_image *image, const stoa_context *context,
                                   stoa_fs_registry *file_systems, const char *directory,
                                   stoa_error *err) {
    const uint64_t sequence = stoa_store_pin_sequence(image->pin);
    const int32_t tables = image->state.table_count;
    stoa_flush_options options = {.context = *context,
                                  .file_systems = file_systems,
                                  .directory = directory,
                                  .snapshots = &sequence,
                                  .snapshot_count = 1,
                                  .new_file = next_file,
                                  .new_file_user = image};
    STOA_ASSERT(image->made == NULL);
    STOA_TRY(stoa_vfs_make_directory(file_systems, directory, context, err));
    void *made = NULL;
    STOA_TRY(stoa_arena_allocate_array(&image->arena, (size_t)tables, sizeof(stoa_table_file *),
                                       &made, err));
    memset(made, 0, (size_t)tables * sizeof(stoa_table_file *));
    image->made = made;
    for (int32_t i = 0; i < tables; i++) {
        STOA_TRY(stoa_cancel_check(context->cancel, err));
        STOA_TRY(write_memory(image, i, &options, err));
    }
    return stoa_manifest_write_new(context, file_systems, directory, &image->state, err);
}
