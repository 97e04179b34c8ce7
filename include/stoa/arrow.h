/* The Arrow C data interface and C stream interface: what every batch of Stoa's is made of, and the
 * few functions that make them pleasant in C.
 *
 * Source   Apache Arrow, "The Arrow C data interface", "The Arrow C stream interface" */
#ifndef STOA_ARROW_H
#define STOA_ARROW_H

#include <stdint.h>

#include <stoa/context.h>
#include <stoa/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#endif

/// Releases what is there and leaves `release` NULL. NULL and released structs are allowed.
STOA_API void stoa_arrow_schema_release(struct ArrowSchema *schema);
STOA_API void stoa_arrow_array_release(struct ArrowArray *array);
STOA_API void stoa_arrow_stream_release(struct ArrowArrayStream *stream);

/// Asks a stream, anybody's, for its schema or its next batch. At the end `out->release` is NULL.
///
/// Errors   the stream's own: streams made by Stoa keep their status, others give STOA_NO_MEMORY
///          for ENOMEM, STOA_CANCELLED for ECANCELED, STOA_INVALID for EINVAL and STOA_IO otherwise
STOA_API STOA_MUST_USE stoa_status stoa_stream_schema(struct ArrowArrayStream *stream,
                                                      struct ArrowSchema *out, stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_stream_next(struct ArrowArrayStream *stream,
                                                    struct ArrowArray *out, stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
