/* Files by pattern. The pattern is cut at '/'; a list of directories to look into goes through it
 * part by part: a part without wildcards is appended, one with wildcards is replaced by the entries
 * that match, and "**" by the directory and all below it. At the end the URIs are sorted and told.
 *
 * Links to directories are followed where a pattern names them, never by "**", so that a link to a
 * directory above cannot make it endless. */
#include "vfs/glob.h"

#include <stdlib.h>
#include <string.h>

#include "vfs/registry.h"
#include "vfs/uri.h"
#include "vfs/vfs.h"

enum { PARTS_MAX = STOA_GLOB_PARTS_MAX };

struct found {
    char *uri;
    stoa_file_info info;
};

/* A list of what a part of the pattern led to; `items` holds struct found. */
struct finds {
    stoa_buffer items;
};

static size_t finds_count(const struct finds *finds) {
    return finds->items.size / sizeof(struct found);
}

static struct found *finds_at(const struct finds *finds, size_t index) {
    return (struct found *)(void *)finds->items.data + index;
}

static void finds_release(struct finds *finds) {
    for (size_t i = 0; i < finds_count(finds); i++) {
        stoa_pool_free_string(finds->items.pool, finds_at(finds, i)->uri);
    }
    stoa_buffer_release(&finds->items);
}

/* Takes over `uri`, on error too. */
static stoa_status finds_add(struct finds *finds, char *uri, const stoa_file_info *info,
                             stoa_error *err) {
    struct found found = {uri, *info};
    stoa_status status = stoa_buffer_append(&finds->items, &found, sizeof found, err);
    if (status != STOA_OK) {
        stoa_pool_free_string(finds->items.pool, uri);
    }
    return status;
}

static bool part_has_wildcard(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\\' && i + 1 < size) {
            i++;
        } else if (text[i] == '*' || text[i] == '?' || text[i] == '[') {
            return true;
        }
    }
    return false;
}

bool stoa_vfs_has_wildcard(const char *text) {
    return part_has_wildcard(text, strlen(text));
}

static stoa_status check_sets(const stoa_glob_part *part, stoa_error *err) {
    for (size_t i = 0; i < part->size; i++) {
        if (part->text[i] == '\\') {
            i++;
        } else if (part->text[i] == '[') {
            size_t end = i + 1;
            end += end < part->size && (part->text[end] == '!' || part->text[end] == '^') ? 1 : 0;
            end += end < part->size && part->text[end] == ']' ? 1 : 0;
            while (end < part->size && part->text[end] != ']') {
                end += part->text[end] == '\\' ? 2 : 1;
            }
            if (end >= part->size) {
                return stoa_fail(err, STOA_INVALID,
                                 "expected a ']' for the '[' at byte %zu of "
                                 "'%.*s' (write '\\[' for the character)",
                                 i, (int)part->size, part->text);
            }
            i = end;
        }
    }
    return STOA_OK;
}

/* Cuts `pattern` at '/', empty parts left out. */
static stoa_status split(const char *pattern, stoa_glob_part *parts, size_t *out_count,
                         stoa_error *err) {
    size_t count = 0;
    for (const char *at = pattern; *at != '\0';) {
        size_t size = strcspn(at, "/");
        if (size > 0) {
            if (count == PARTS_MAX) {
                return stoa_fail(err, STOA_INVALID, "a pattern of more than %d parts", PARTS_MAX);
            }
            parts[count] = (stoa_glob_part){at, size};
            STOA_TRY(check_sets(&parts[count], err));
            count++;
        }
        at += size + strspn(at + size, "/");
    }
    *out_count = count;
    return STOA_OK;
}

struct looking {
    struct finds *target;
    const stoa_glob_part *part; /* NULL: all directories that are no links and not hidden */
    const char *directory;
};

static stoa_status look_at_entry(void *user, const char *name, const stoa_file_info *info,
                                 stoa_error *err) {
    struct looking *looking = user;
    char *uri = NULL;
    bool matches = looking->part == NULL
                       ? info->is_directory && !info->is_link && name[0] != '.'
                       : stoa_glob_match(looking->part->text, looking->part->size, name);
    if (!matches) {
        return STOA_OK;
    }
    STOA_TRY(stoa_vfs_join(looking->target->items.pool, looking->directory, name, &uri, err));
    return finds_add(looking->target, uri, info, err);
}

static stoa_status look_into(stoa_fs_registry *registry, const stoa_context *context,
                             const char *uri, struct looking *looking, stoa_error *err) {
    looking->directory = uri;
    /* "" is the working directory, for patterns that begin with a name. */
    stoa_status status = stoa_vfs_list(registry, uri[0] == '\0' ? "." : uri, context, look_at_entry,
                                       looking, err);
    if (status == STOA_NOT_FOUND) {
        stoa_error_clear(err);
        status = STOA_OK;
    }
    return status;
}

/* "a\*b" names "a*b". */
static stoa_status unescape(stoa_buffer *text, const stoa_glob_part *part, stoa_error *err) {
    for (size_t i = 0; i < part->size; i++) {
        i += part->text[i] == '\\' && i + 1 < part->size ? 1 : 0;
        STOA_TRY(stoa_buffer_append_byte(text, (uint8_t)part->text[i], err));
    }
    return STOA_OK;
}

/* A part without wildcards: its name is appended, and looked at when it is the last. */
static stoa_status name_entry(stoa_fs_registry *registry, const stoa_context *context,
                              const struct found *from, const stoa_glob_part *part, bool is_last,
                              struct finds *to, stoa_error *err) {
    stoa_pool *pool = to->items.pool;
    stoa_buffer text = {.pool = pool};
    const char *name = NULL;
    char *uri = NULL;
    stoa_file_info info = {.is_directory = true};
    stoa_status status = STOA_OK;

    STOA_CHECK(unescape(&text, part, err));
    STOA_CHECK(stoa_buffer_text(&text, &name, err));
    STOA_CHECK(stoa_vfs_join(pool, from->uri, name, &uri, err));
    if (is_last) {
        status = stoa_vfs_stat(registry, uri, context, &info, err);
        if (status == STOA_NOT_FOUND) {
            stoa_error_clear(err);
            status = STOA_OK;
            goto done;
        }
    }
    if (status == STOA_OK) {
        status = finds_add(to, uri, &info, err);
        uri = NULL;
    }

done:
    stoa_pool_free_string(pool, uri);
    stoa_buffer_release(&text);
    return status;
}

/* Appends every directory below those in `to`, which grows while it is walked. */
static stoa_status descend(stoa_fs_registry *registry, const stoa_context *context,
                           struct finds *to, stoa_error *err) {
    for (size_t i = 0; i < finds_count(to); i++) {
        struct looking looking = {.target = to};
        STOA_TRY(look_into(registry, context, finds_at(to, i)->uri, &looking, err));
    }
    return STOA_OK;
}

static stoa_status copy_finds(const struct finds *from, struct finds *to, stoa_error *err) {
    for (size_t i = 0; i < finds_count(from); i++) {
        char *uri = NULL;
        STOA_TRY(stoa_pool_copy_string(to->items.pool, finds_at(from, i)->uri, &uri, err));
        STOA_TRY(finds_add(to, uri, &finds_at(from, i)->info, err));
    }
    return STOA_OK;
}

static stoa_status apply_part(stoa_fs_registry *registry, const stoa_context *context,
                              const struct finds *from, const stoa_glob_part *part, bool is_last,
                              struct finds *to, stoa_error *err) {
    if (stoa_glob_is_double_star(part)) {
        STOA_TRY(copy_finds(from, to, err));
        return descend(registry, context, to, err);
    }
    for (size_t i = 0; i < finds_count(from); i++) {
        struct looking looking = {.target = to, .part = part};
        const struct found *found = finds_at(from, i);
        if (!found->info.is_directory) {
            continue;
        }
        STOA_TRY(part_has_wildcard(part->text, part->size)
                     ? look_into(registry, context, found->uri, &looking, err)
                     : name_entry(registry, context, found, part, is_last, to, err));
    }
    return STOA_OK;
}

/* All that is left of the pattern, for the files below one directory. */
struct deep {
    struct finds *target;
    const stoa_glob_part *parts;
    size_t count;
    const char *directory;
};

static stoa_status look_at_path(void *user, const char *path, const stoa_file_info *info,
                                stoa_error *err) {
    struct deep *deep = user;
    char *uri = NULL;
    if (!stoa_glob_match_path(deep->parts, deep->count, path)) {
        return STOA_OK;
    }
    STOA_TRY(stoa_vfs_join(deep->target->items.pool, deep->directory, path, &uri, err));
    return finds_add(deep->target, uri, info, err);
}

/* Where a file system can list a whole tree at once, that is all that "**" and what follows need.
 * STOA_UNSUPPORTED where it cannot. */
static stoa_status look_below(stoa_fs_registry *registry, const stoa_context *context,
                              const struct finds *from, const stoa_glob_part *parts, size_t count,
                              struct finds *to, stoa_error *err) {
    for (size_t i = 0; i < finds_count(from); i++) {
        const char *uri = finds_at(from, i)->uri;
        struct deep deep = {to, parts, count, uri};
        if (!finds_at(from, i)->info.is_directory) {
            continue;
        }
        stoa_status status = stoa_vfs_list_tree(registry, uri[0] == '\0' ? "." : uri, context,
                                                look_at_path, &deep, err);
        if (status == STOA_NOT_FOUND) {
            stoa_error_clear(err);
            status = STOA_OK;
        }
        STOA_TRY(status);
    }
    return STOA_OK;
}

static stoa_status expand(stoa_fs_registry *registry, const stoa_context *context,
                          const stoa_glob_part *parts, size_t count, struct finds *finds,
                          stoa_error *err) {
    static const stoa_glob_part everything = {"*", 1};
    for (size_t i = 0; i < count; i++) {
        struct finds next = {{.pool = finds->items.pool}};
        bool is_last = i + 1 == count;
        stoa_status status = STOA_OK;
        if (stoa_glob_is_double_star(&parts[i]) && count - i < PARTS_MAX) {
            status = look_below(registry, context, finds, parts + i, count - i, &next, err);
            if (status != STOA_UNSUPPORTED) {
                finds_release(finds);
                *finds = next;
                return status;
            }
            finds_release(&next);
            stoa_error_clear(err);
            status = STOA_OK;
        }
        /* "**" and "**" is "**". */
        if (i == 0 || !stoa_glob_is_double_star(&parts[i]) ||
            !stoa_glob_is_double_star(&parts[i - 1])) {
            status = apply_part(registry, context, finds, &parts[i], is_last, &next, err);
            finds_release(finds);
            *finds = next;
        }
        STOA_TRY(status);
        if (is_last && stoa_glob_is_double_star(&parts[i])) {
            struct finds files = {{.pool = finds->items.pool}};
            status = apply_part(registry, context, finds, &everything, true, &files, err);
            finds_release(finds);
            *finds = files;
        }
        STOA_TRY(status);
    }
    return STOA_OK;
}

static int compare_found(const void *a, const void *b) {
    return strcmp(((const struct found *)a)->uri, ((const struct found *)b)->uri);
}

static stoa_status tell(struct finds *finds, stoa_glob_function function, void *user,
                        stoa_error *err) {
    size_t count = finds_count(finds);
    if (count > 0) {
        qsort(finds->items.data, count, sizeof(struct found), compare_found);
    }
    for (size_t i = 0; i < count; i++) {
        const struct found *found = finds_at(finds, i);
        bool is_repeated = i > 0 && strcmp(found->uri, finds_at(finds, i - 1)->uri) == 0;
        if (!found->info.is_directory && !is_repeated) {
            STOA_TRY(function(user, found->uri, &found->info, err));
        }
    }
    return STOA_OK;
}

static stoa_status tell_one(stoa_fs_registry *registry, const stoa_context *context,
                            const char *pattern, stoa_pool *pool, stoa_glob_function function,
                            void *user, stoa_error *err) {
    stoa_glob_part whole = {pattern, strlen(pattern)};
    stoa_buffer text = {.pool = pool};
    const char *uri = NULL;
    stoa_file_info info;
    stoa_status status = STOA_OK;
    STOA_CHECK(unescape(&text, &whole, err));
    STOA_CHECK(stoa_buffer_text(&text, &uri, err));
    STOA_CHECK(stoa_vfs_stat(registry, uri, context, &info, err));
    STOA_CHECK(function(user, uri, &info, err));

done:
    stoa_buffer_release(&text);
    return status;
}

/* Where nothing can be listed, no pattern can be looked for; there '?' begins a query and '[' is a
 * letter like any other. A scheme that nobody registered is reported by whoever looks for the file. */
static bool lists(stoa_fs_registry *registry, const char *pattern) {
    stoa_fs *fs = NULL;
    const char *path = NULL;
    return stoa_fs_find(registry, pattern, &fs, &path, NULL) != STOA_OK ||
           fs->operations->list != NULL;
}

static stoa_status tell_literal(stoa_fs_registry *registry, const stoa_context *context,
                                const char *uri, stoa_glob_function function, void *user,
                                stoa_error *err) {
    stoa_file_info info;
    if (strchr(uri, '*') != NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "'%s': its file system offers no listing, so no pattern can be looked for",
                         uri);
    }
    STOA_TRY(stoa_vfs_stat(registry, uri, context, &info, err));
    return function(user, uri, &info, err);
}

stoa_status stoa_vfs_glob(stoa_fs_registry *registry, const char *pattern,
                          const stoa_context *context, stoa_pool *pool, stoa_glob_function function,
                          void *user, stoa_error *err) {
    stoa_glob_part parts[PARTS_MAX];
    size_t count = 0;
    size_t root = stoa_uri_root_offset(pattern);
    struct finds finds = {{.pool = pool}};
    const stoa_file_info directory = {.is_directory = true};
    char *start = NULL;
    stoa_status status = STOA_OK;

    if (!lists(registry, pattern)) {
        return tell_literal(registry, context, pattern, function, user, err);
    }
    if (!stoa_vfs_has_wildcard(pattern + root)) {
        return tell_one(registry, context, pattern, pool, function, user, err);
    }
    root += pattern[root] == '/' ? 1 : 0;
    STOA_CHECK(split(pattern + root, parts, &count, err));
    STOA_CHECK(stoa_pool_copy_text(pool, pattern, root, &start, err));
    STOA_CHECK(finds_add(&finds, start, &directory, err));
    STOA_CHECK(expand(registry, context, parts, count, &finds, err));
    STOA_CHECK(tell(&finds, function, user, err));

done:
    finds_release(&finds);
    return status;
}
