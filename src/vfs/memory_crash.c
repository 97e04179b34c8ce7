/* What a crash leaves of files in memory.
 *
 * Certain is: of a file, its content at its last sync; of a directory, its entries at its last
 * sync. Each change of entries since then stands in a list, in order; syncing a directory applies
 * the changes that concern it to what is certain and forgets them. A rename between two directories
 * is one change: journals keep it whole.
 *
 * What is stored through a map counts as written: it is certain when the file was synced after it.
 *
 * This is what POSIX promises and no more. File systems in use order changes better than that; code
 * that passes here does not depend on it. */
#include "vfs/fault.h"
#include "vfs/memory.h"

#include "base/hash.h"

enum { SECTOR_BYTES = 512 };

static uint64_t random_up_to(uint64_t *state, uint64_t most) {
    return most == UINT64_MAX ? stoa_random_next(state) : stoa_random_next(state) % (most + 1);
}

void stoa_memory_change_release(struct memory_fs *fs, struct memory_change *change) {
    if (change == NULL) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        stoa_pool_free_string(fs->pool, change->part[i].name);
        stoa_memory_node_release(fs, change->part[i].directory);
        stoa_memory_node_release(fs, change->part[i].node);
    }
    stoa_pool_free(fs->pool, change, sizeof *change);
}

stoa_status stoa_memory_change_extend(struct memory_fs *fs, struct memory_change *change,
                                      struct memory_node *directory, const char *name,
                                      struct memory_node *node, stoa_error *err) {
    if (change == NULL) {
        return STOA_OK;
    }
    size_t i = change->part[0].directory == NULL ? 0 : 1;
    STOA_ASSERT(change->part[i].directory == NULL);
    STOA_TRY(stoa_pool_copy_string(fs->pool, name, &change->part[i].name, err));
    change->part[i].directory = directory;
    change->part[i].node = node;
    directory->references++;
    if (node != NULL) {
        node->references++;
    }
    return STOA_OK;
}

stoa_status stoa_memory_change_create(struct memory_fs *fs, struct memory_node *directory,
                                      const char *name, struct memory_node *node,
                                      struct memory_change **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    if (!fs->keeps_durable) {
        return STOA_OK;
    }
    STOA_TRY(stoa_pool_allocate_array(fs->pool, 1, sizeof(struct memory_change), &memory, err));
    stoa_status status = stoa_memory_change_extend(fs, memory, directory, name, node, err);
    if (status != STOA_OK) {
        stoa_memory_change_release(fs, memory);
        return status;
    }
    *out = memory;
    return STOA_OK;
}

void stoa_memory_change_record(struct memory_fs *fs, struct memory_change *change) {
    if (change != NULL) {
        *fs->changes_tail = change;
        fs->changes_tail = &change->next;
    }
}

/* Makes `target` the same as the first `size` bytes of `bytes`, of which `same` agree already. */
static stoa_status copy_rest(stoa_buffer *target, const uint8_t *bytes, size_t same, size_t size,
                             stoa_error *err) {
    if (size > target->size) {
        STOA_TRY(stoa_buffer_reserve(target, size - target->size, err));
    }
    if (size > same) {
        memcpy(target->data + same, bytes + same, size - same);
    }
    target->size = size;
    return STOA_OK;
}

stoa_status stoa_memory_sync_file(struct memory_fs *fs, struct memory_node *node, stoa_error *err) {
    if (!fs->keeps_durable) {
        return STOA_OK;
    }
    size_t size = stoa_memory_node_size(node);
    STOA_TRY(copy_rest(&node->synced, size == 0 ? NULL : node->content->bytes.data,
                       node->synced_prefix, size, err));
    node->is_stored_into = node->content != NULL && node->content->writable_maps > 0;
    node->synced_prefix = node->is_stored_into ? 0 : size;
    return STOA_OK;
}

/* Brings one change into what is certain. All that can fail comes first. */
static stoa_status apply(struct memory_fs *fs, struct memory_change *change, stoa_error *err) {
    for (size_t i = 0; i < 2; i++) {
        if (change->part[i].node != NULL) {
            struct memory_directory *durable = &change->part[i].directory->durable;
            STOA_TRY(stoa_memory_directory_reserve(fs, durable, err));
        }
    }
    for (size_t i = 0; i < 2; i++) {
        struct memory_node *directory = change->part[i].directory;
        if (change->part[i].node != NULL) {
            stoa_memory_put(fs, &directory->durable, change->part[i].name, change->part[i].node);
            change->part[i].name = NULL; /* the entry has it now */
        } else if (directory != NULL) {
            stoa_memory_take_out(fs, &directory->durable, change->part[i].name);
        }
    }
    return STOA_OK;
}

static bool concerns(const struct memory_change *change, const struct memory_node *directory) {
    return change->part[0].directory == directory || change->part[1].directory == directory;
}

/* Takes the change that `*link` points to out of the list. */
static struct memory_change *unlink_change(struct memory_fs *fs, struct memory_change **link) {
    struct memory_change *change = *link;
    *link = change->next;
    if (fs->changes_tail == &change->next) {
        fs->changes_tail = link;
    }
    return change;
}

stoa_status stoa_memory_sync_directory(struct memory_fs *fs, struct memory_node *node,
                                       stoa_error *err) {
    struct memory_change **link = &fs->changes;
    while (*link != NULL) {
        if (!concerns(*link, node)) {
            link = &(*link)->next;
            continue;
        }
        STOA_TRY(apply(fs, *link, err));
        stoa_memory_change_release(fs, unlink_change(fs, link));
    }
    return STOA_OK;
}

/* Of the changes that are not certain the first `count` happened, the others did not. */
static stoa_status settle_changes(struct memory_fs *fs, uint64_t count, stoa_error *err) {
    while (fs->changes != NULL) {
        if (count > 0) {
            STOA_TRY(apply(fs, fs->changes, err));
            count--;
        }
        stoa_memory_change_release(fs, unlink_change(fs, &fs->changes));
    }
    return STOA_OK;
}

/* The content that a crash leaves: a beginning of the live bytes that is no shorter than what both
 * states share, with some of its unsynced sectors as zeros; or what was synced. */
static stoa_status tear(struct memory_node *node, uint64_t *random, stoa_error *err) {
    size_t same = node->synced_prefix;
    size_t size = stoa_memory_node_size(node);
    if (same < node->synced.size && random_up_to(random, 1) == 0) {
        return STOA_OK;
    }
    size_t kept = same + (size_t)random_up_to(random, size - same);
    STOA_TRY(
        copy_rest(&node->synced, size == 0 ? NULL : node->content->bytes.data, same, kept, err));
    for (size_t at = same; at < kept;) {
        size_t end = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
        end = end < kept ? end : kept;
        if (random_up_to(random, 7) == 0) {
            memset(node->synced.data + at, 0, end - at);
        }
        at = end;
    }
    return STOA_OK;
}

/* Of a file that is stored into through a map each sector reaches the disk by itself, or does not; so do
 * its length, and the zeros that made it longer. */
static stoa_status tear_sectors(struct memory_node *node, uint64_t *random, stoa_error *err) {
    const size_t live = stoa_memory_node_size(node), synced = node->synced.size;
    const size_t kept = synced + (size_t)random_up_to(random, live > synced ? live - synced : 0);
    STOA_TRY(stoa_buffer_resize(&node->synced, kept, err));
    for (size_t at = 0; at < kept && at < live; at += SECTOR_BYTES) {
        size_t end = at + SECTOR_BYTES < kept ? at + SECTOR_BYTES : kept;
        end = end < live ? end : live;
        if (random_up_to(random, 1) == 0) {
            memcpy(node->synced.data + at, node->content->bytes.data + at, end - at);
        }
    }
    return STOA_OK;
}

static stoa_status settle_file(struct memory_fs *fs, struct memory_node *node, stoa_crash_mode mode,
                               uint64_t *random, stoa_error *err) {
    if (mode == STOA_CRASH_KEEP) {
        STOA_TRY(stoa_memory_sync_file(fs, node, err));
    } else if (mode == STOA_CRASH_TEAR) {
        STOA_TRY(node->is_stored_into ? tear_sectors(node, random, err) : tear(node, random, err));
    }
    node->is_stored_into = false;
    stoa_memory_content_release(fs, node->content);
    node->content = NULL;
    if (node->synced.size > 0) {
        STOA_TRY(stoa_memory_content_write(fs, node, 0, node->synced.data, node->synced.size, err));
    }
    node->synced_prefix = node->synced.size;
    return STOA_OK;
}

/* The certain entries become the live ones. */
static stoa_status settle_directory(struct memory_fs *fs, struct memory_node *node,
                                    stoa_error *err) {
    struct memory_directory old = node->directory;
    node->directory = (struct memory_directory){0};
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < node->durable.count && status == STOA_OK; i++) {
        char *name = NULL;
        status = stoa_pool_copy_string(fs->pool, node->durable.entries[i].name, &name, err);
        if (status == STOA_OK) {
            status = stoa_memory_directory_reserve(fs, &node->directory, err);
        }
        if (status == STOA_OK) {
            stoa_memory_put(fs, &node->directory, name, node->durable.entries[i].node);
            name = NULL;
        }
        stoa_pool_free_string(fs->pool, name);
    }
    stoa_memory_directory_release(fs, &old);
    return status;
}

static uint64_t count_changes(const struct memory_fs *fs) {
    uint64_t count = 0;
    for (const struct memory_change *change = fs->changes; change != NULL; change = change->next) {
        count++;
    }
    return count;
}

static stoa_status crash(struct memory_fs *fs, stoa_crash_mode mode, uint64_t random,
                         stoa_error *err) {
    uint64_t happened = mode == STOA_CRASH_DROP ? 0 : count_changes(fs);
    if (mode == STOA_CRASH_TEAR) {
        happened = random_up_to(&random, happened);
    }
    fs->era++;
    STOA_TRY(settle_changes(fs, happened, err));
    stoa_status status = STOA_OK;
    /* Releasing an entry may free nodes further on: all are held until each had its turn. */
    for (struct memory_node *node = fs->nodes; node != NULL; node = node->next) {
        node->references++;
    }
    for (struct memory_node *node = fs->nodes; node != NULL && status == STOA_OK;
         node = node->next) {
        node->is_locked = false;
        status = node->is_directory ? settle_directory(fs, node, err)
                                    : settle_file(fs, node, mode, &random, err);
    }
    for (struct memory_node *node = fs->nodes, *next; node != NULL; node = next) {
        next = node->next;
        stoa_memory_node_release(fs, node);
    }
    return status;
}

stoa_status stoa_fs_crash(stoa_fs *disk, stoa_crash_mode mode, uint64_t seed, stoa_error *err) {
    struct memory_fs *fs = stoa_memory_of(disk);
    if (fs == NULL || !fs->keeps_durable) {
        return stoa_fail(err, STOA_INVALID, "this file system does not remember what was synced");
    }
    (void)pthread_mutex_lock(&fs->lock);
    stoa_status status = crash(fs, mode, seed, err);
    (void)pthread_mutex_unlock(&fs->lock);
    return status;
}

stoa_status stoa_fs_crash_create(stoa_pool *pool, stoa_fs *out, stoa_error *err) {
    return stoa_memory_create(pool, true, out, err);
}
