/**
 * keys: keys of a keyboard as a browser is told of them: "Enter", "a", "Control+A".
 *
 * Known are single characters and, by the names of UI Events, the keys of keys.c; in front of them
 * `Alt+`, `Control+`, `Meta+`, `Shift+`. Source: UI Events KeyboardEvent key and code Values (W3C);
 * Input.dispatchKeyEvent of the DevTools protocol. Pure.
 */
#ifndef TOOL_ADAPTER_BROWSER_KEYS_H
#define TOOL_ADAPTER_BROWSER_KEYS_H

#include "base/status.h"
#include "base/str.h"
#include "json/json.h"

/** The event of a key that goes down, without its `type`. Owned. INVALID_ARGUMENT: there is none of
 * this name. */
status key_read(str name, json *ret_event, struct error *reterr);

/** The event of one character that is typed. Owned. */
json key_of_character(str character);

#endif
