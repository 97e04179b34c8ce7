/* URIs and paths as text: "scheme:path", "scheme://authority/path", or a local path.
 *
 * A scheme has at least two characters and begins with a letter, so that "a:b" and
 * "2024-05-01T10:00.csv" are local files. A local file whose name looks like a scheme is written
 * "./orders:2024.csv". Nothing here decodes or normalises: what the text says is the name. */
#include "vfs/uri.h"

#include <string.h>
#include <strings.h>

#include "vfs/vfs.h"

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_scheme_character(char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

size_t stoa_uri_scheme_length(const char *uri) {
    size_t length = 0;
    if (is_letter(uri[0])) {
        while (is_scheme_character(uri[length])) {
            length++;
        }
    }
    return length >= 2 && uri[length] == ':' ? length : 0;
}

const char *stoa_uri_file_path(const char *uri) {
    static const char here[] = "localhost";
    const char *path = uri + sizeof "file:" - 1;
    if (strncmp(path, "//", 2) != 0) {
        return path;
    }
    path += 2;
    if (strncasecmp(path, here, sizeof here - 1) == 0 && path[sizeof here - 1] == '/') {
        path += sizeof here - 1;
    }
    return path[0] == '/' ? path : NULL;
}

const char *stoa_vfs_local_path(const char *uri) {
    size_t scheme = stoa_uri_scheme_length(uri);
    if (scheme == 0) {
        return uri;
    }
    return scheme == 4 && strncasecmp(uri, "file", 4) == 0 ? stoa_uri_file_path(uri) : NULL;
}

size_t stoa_uri_root_offset(const char *uri) {
    size_t scheme = stoa_uri_scheme_length(uri);
    if (scheme == 0) {
        return 0;
    }
    size_t root = scheme + 1;
    if (strncmp(uri + root, "//", 2) == 0) {
        root += 2;
        root += strcspn(uri + root, "/");
    }
    return root;
}

size_t stoa_uri_name_offset(const char *uri) {
    size_t root = stoa_uri_root_offset(uri);
    size_t end = strlen(uri);
    while (end > root && uri[end - 1] == '/') {
        end--;
    }
    while (end > root && uri[end - 1] != '/') {
        end--;
    }
    return end;
}

stoa_status stoa_vfs_join(stoa_pool *pool, const char *directory, const char *name, char **out,
                          stoa_error *err) {
    size_t length = strlen(directory);
    while (length > 0 && directory[length - 1] == '/') {
        length--;
    }
    /* The empty directory is the working one: "name", not "/name". */
    size_t slash = directory[0] == '\0' ? 0 : 1;
    size_t name_length = strlen(name);
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate(pool, length + slash + name_length + 1, &memory, err));
    char *joined = memory;
    memcpy(joined, directory, length);
    memcpy(joined + length, "/", slash);
    memcpy(joined + length + slash, name, name_length + 1);
    *out = joined;
    return STOA_OK;
}

stoa_status stoa_vfs_parent(stoa_pool *pool, const char *uri, char **out, stoa_error *err) {
    size_t root = stoa_uri_root_offset(uri);
    size_t end = stoa_uri_name_offset(uri);
    /* The '/' of the root stays, the others go. */
    while (end > root + 1 && uri[end - 1] == '/') {
        end--;
    }
    end = end == root && uri[root] == '/' ? root + 1 : end;
    /* "a" and "file:a" lie in the working directory. */
    size_t scheme = stoa_uri_scheme_length(uri);
    bool is_bare = end == (scheme == 0 ? 0 : scheme + 1);
    stoa_buffer text = {.pool = pool};
    stoa_status status = STOA_OK;
    *out = NULL;
    STOA_CHECK(stoa_buffer_append(&text, uri, end, err));
    STOA_CHECK(stoa_buffer_append_text(&text, is_bare ? "." : "", err));
    STOA_CHECK(stoa_pool_copy_text(pool, (const char *)text.data, text.size, out, err));

done:
    stoa_buffer_release(&text);
    return status;
}
