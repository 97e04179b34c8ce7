/* URIs as messages may show them: a password before the host, and the values of query parameters whose
 * names speak of a signature, token, key, secret, password or credential, become "***". */
#ifndef STOA_BASE_SECRET_H
#define STOA_BASE_SECRET_H

#include <stddef.h>

enum { STOA_URI_SHOWN_BYTES = 1024 };

/// `uri` itself where it holds no secret; else a text in `buffer`, cut where it is longer.
const char *stoa_secret_show(const char *uri, char buffer[STOA_URI_SHOWN_BYTES]);

/// Masks every URI within a text, in its place; `size` is the room it has. For texts that others have
/// put together: a URI is taken to end at a blank or a quote.
void stoa_secret_mask(char *text, size_t size);

#endif
