/*
 * Values of the client's options that are more than a flag, a number or a text: how each is read
 * and how ssh -G writes it. Rows of option_client.c point here; nothing else does.
 */
#ifndef ADIT_CONFIG_CLIENT_VALUE_H
#define ADIT_CONFIG_CLIENT_VALUE_H

#include "config/option.h"

/* ControlPersist: yes, no, or how long a master stays after its last session. */
struct control_persist {
    bool on;
    uint32_t seconds; /* 0: for ever */
};

#define TUNNEL_UNIT_ANY (-1)

/* Of struct client_options (config/ssh_config.h), which each reads and prints whole. */
extern const struct option_value client_value_control_persist;
extern const struct option_value client_value_forward_agent;
extern const struct option_value client_value_add_keys_to_agent;
extern const struct option_value client_value_escape_char;
extern const struct option_value client_value_tunnel_device;
extern const struct option_value client_value_keystroke_timing;

/* "any", "3", "any:3", "0:1". False: it is none of these, and nothing was stored. */
bool tunnel_device_read(const char *text, int *local, int *remote) MUST_USE;

#endif
