/* An open file of http. See http_file.c, http_fetch.c and http_inorder.c. */
#ifndef STOA_VFS_HTTP_FILE_H
#define STOA_VFS_HTTP_FILE_H

#include "vfs/http_fs.h"

enum http_mode {
    HTTP_MODE_UNKNOWN,  /* no range was asked for yet */
    HTTP_MODE_RANGES,   /* the server answered one */
    HTTP_MODE_IN_ORDER, /* it has none */
};

/* Bytes that were read ahead of a reader in order. */
struct http_window {
    uint8_t *bytes;
    size_t capacity;
    uint64_t begin, end; /* what is in it */
    uint64_t next;       /* where the last read ended: one that begins here is in order */
    size_t ahead;        /* how much to read with the next one */
    bool is_busy;        /* a thread fills it, without the lock */
};

/* The body of a whole file, of which the first bytes are held so that they can be read again. */
struct http_inorder {
    pthread_mutex_t
        lock; /* over this struct: readers of one stream queue here, also while it waits */
    stoa_http_stream *stream;
    uint64_t position; /* of the stream */
    stoa_buffer held;  /* bytes from 0 to held.size */
    bool holds;        /* `held` has all that was read so far */
    bool has_ended;
};

struct http_file {
    pthread_mutex_t
        lock; /* over `pin`, `mode`, `start_url` and `window`; never held in a request */
    struct http_target target;
    stoa_context context; /* pool and token; the token is a child of the opener's */
    struct http_pin pin;
    enum http_mode mode;
    char *start_url; /* where redirects led; NULL: nowhere */
    struct http_window window;
    struct http_inorder inorder;
};

/* A range on its way into its buffer. */
struct http_part {
    uint64_t offset;
    size_t size;
    uint8_t *buffer;
    size_t done;
};

/// Fetches all parts, side by side, with retries that go on where a body broke. All end within the
/// file. `out_no_ranges` is set, and nothing more done, when the server turns out to have none.
STOA_MUST_USE stoa_status stoa_http_fetch(struct http_file *file, struct http_part *parts,
                                          size_t count, bool *out_no_ranges, stoa_error *err);

/// Reads from a server without ranges: fewer than `size` bytes only at the end.
STOA_MUST_USE stoa_status stoa_http_inorder_read(struct http_file *file, uint64_t offset,
                                                 uint8_t *buffer, size_t size, size_t *out_size,
                                                 stoa_error *err);
/// Reads to the end to learn the size, as far as it can be held.
STOA_MUST_USE stoa_status stoa_http_inorder_size(struct http_file *file, uint64_t *out,
                                                 stoa_error *err);

/// A copy of the pin, and of where to begin (from the pool, NULL: nowhere else), for a request.
STOA_MUST_USE stoa_status stoa_http_file_look(struct http_file *file, struct http_pin *out_pin,
                                              char **out_start_url, stoa_error *err);
/// Compares what an answer says of the version with the pin.
STOA_MUST_USE stoa_status stoa_http_file_check(struct http_file *file, const struct http_pin *seen,
                                               stoa_error *err);
/// Where redirects led on the way to an answer; the text moves.
void stoa_http_file_learn_redirect(struct http_file *file, stoa_http_response *response);
/// The address that redirects led to does not hold any more (it was signed, for a time).
void stoa_http_file_forget_redirect(struct http_file *file);

#endif
