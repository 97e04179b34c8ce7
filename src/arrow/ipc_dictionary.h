/* The dictionaries of a stream that is being read: what has arrived under each id. */
#ifndef STOA_ARROW_IPC_DICTIONARY_H
#define STOA_ARROW_IPC_DICTIONARY_H

#include "arrow/ipc_batch.h"

typedef struct stoa_ipc_dictionaries stoa_ipc_dictionaries;

/// Collects the ids below `root`, which must outlive it. One id may serve several fields of the
/// same type.
///
/// Errors   STOA_CORRUPT  fields of different types share an id
STOA_MUST_USE stoa_status stoa_ipc_dictionaries_create(const stoa_ipc_source *source,
                                                       const stoa_ipc_field *root,
                                                       stoa_ipc_dictionaries **out,
                                                       stoa_error *err);
void stoa_ipc_dictionaries_close(stoa_ipc_dictionaries *dictionaries);

/// Reads a DictionaryBatch message. `replace` says whether a second one that is no delta may
/// replace the first, as in streams.
STOA_MUST_USE stoa_status stoa_ipc_dictionaries_read(stoa_ipc_dictionaries *dictionaries,
                                                     stoa_ipc_source *source,
                                                     const stoa_ipc_message *message,
                                                     stoa_keeper *file, stoa_ipc_codecs *codecs,
                                                     bool replace, stoa_error *err);

/// True while some dictionary has not arrived.
bool stoa_ipc_dictionaries_missing(const stoa_ipc_dictionaries *dictionaries);

/// A stoa_ipc_resolve, with the dictionaries as `user`.
STOA_MUST_USE stoa_status stoa_ipc_dictionaries_resolve(void *user, const stoa_ipc_field *field,
                                                        struct ArrowArray *out, stoa_error *err);

#endif
