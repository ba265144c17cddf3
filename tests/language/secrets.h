/** secrets: what the namespace of every scenario has, in the core and over HTTP. */
#ifndef LANGUAGE_SECRETS_H
#define LANGUAGE_SECRETS_H

#include "base/buf.h"
#include "scheduler/run/run.h"

/** `token` is a text, `login` a map {username, password}, `client` an OAuth 2 policy of
 * https://id.test. All others are missing. */
extern const struct secret_source language_secrets;

struct language_secret {
    const char *name, *text;
};
enum { LANGUAGE_SECRETS = 3 };
extern const struct language_secret language_secret_texts[LANGUAGE_SECRETS];

#endif
