/*
 * What adit is to do: the command line's options first, then the user's file, then the system's;
 * the first value wins. Host, Match and Include are understood here. It resolves no name. With the
 * facts of a request, what ssh -G shows expanded is expanded (config/client_expand.h).
 */
#ifndef ADIT_CONFIG_SSH_CONFIG_H
#define ADIT_CONFIG_SSH_CONFIG_H

#include "base/log.h"
#include "config/client_expand.h"
#include "config/client_value.h"
#include "config/forward_spec.h"
#include "config/option.h"
#include "config/server_value.h"
#include "config/source.h"

enum address_family {
    FAMILY_ANY,
    FAMILY_INET,
    FAMILY_INET6,
};

enum strict_host_key {
    STRICT_NO, /* "off" too */
    STRICT_ACCEPT_NEW,
    STRICT_ASK,
    STRICT_YES,
};

enum session_type {
    SESSION_DEFAULT,
    SESSION_SUBSYSTEM,
    SESSION_NONE, /* -N */
};

enum request_tty {
    TTY_AUTO,
    TTY_NO,
    TTY_YES,
    TTY_FORCE,
};

enum pubkey_authentication {
    PUBKEY_NO,
    PUBKEY_YES,
    PUBKEY_UNBOUND,
    PUBKEY_HOST_BOUND,
};

enum no_yes_ask {
    ANSWER_NO,
    ANSWER_YES,
    ANSWER_ASK,
};

enum control_master {
    CONTROL_NO,
    CONTROL_YES,
    CONTROL_ASK,
    CONTROL_AUTO,
    CONTROL_AUTO_ASK,
};

enum forward_agent {
    AGENT_FORWARD_NO,
    AGENT_FORWARD_YES,
    AGENT_FORWARD_PATH, /* the socket of forward_agent_path, not $SSH_AUTH_SOCK's */
};

enum add_keys_to_agent {
    ADD_KEYS_NO,
    ADD_KEYS_YES,
    ADD_KEYS_ASK,     /* before each */
    ADD_KEYS_CONFIRM, /* the agent asks before each use */
};

/* Bits. */
enum tunnel_mode {
    TUNNEL_NO = 0,
    TUNNEL_POINT_TO_POINT = 1,
    TUNNEL_ETHERNET = 2,
    TUNNEL_YES = 3, /* aditd's PermitTunnel: both */
};

enum fingerprint_hash {
    FINGERPRINT_MD5,
    FINGERPRINT_SHA1,
    FINGERPRINT_SHA256,
    FINGERPRINT_SHA384,
    FINGERPRINT_SHA512,
};

enum canonicalize_hostname {
    CANONICALIZE_NO,
    CANONICALIZE_YES,
    CANONICALIZE_ALWAYS,
};

/* Strings are owned. After client_options_load every field holds its value or OpenSSH's default. */
struct client_options {
    struct option_state state; /* first */
    char *host;                /* as typed on the command line; log and HostKeyAlias text */
    char *host_name;           /* where to connect to, lower case, %h expanded; never NULL */
    bool is_host_name_final;   /* no % in it is a token any more */
    char *user;                /* remote user; the local one by default; never NULL */
    bool is_user_typed;        /* by -l or in the destination: no token in it is one */
    uint16_t port;
    struct string_list identity_files; /* as written: "~/.ssh/id_%h" */
    bool identities_only;
    char *identity_agent; /* NULL: $SSH_AUTH_SOCK; "none": no agent; else an expanded path or
                             "$VARIABLE" */
    struct forward_list local_forwards;
    struct forward_list remote_forwards; /* remote dynamic ones too */
    struct forward_list dynamic_forwards;
    bool gateway_ports;
    uint32_t stream_local_bind_mask;       /* umask(2) of the sockets that are bound */
    bool stream_local_bind_unlink;         /* remove a stale socket before */
    struct string_list permit_remote_open; /* "any" or "none" alone, or host:port, as PermitOpen */
    bool exit_on_forward_failure;
    bool clear_all_forwardings;       /* the lists above are empty already when it is set */
    uint32_t server_alive_interval_s; /* 0: none */
    int server_alive_count_max;
    enum strict_host_key strict_host_key;
    struct string_list user_known_hosts_files; /* expanded; "none" alone: no file */
    struct string_list global_known_hosts_files;
    bool hash_known_hosts;
    char *host_key_alias; /* NULL: none */
    enum no_yes_ask update_host_keys;
    bool batch_mode;
    uint32_t connect_timeout_s; /* 0: the system's */
    int connection_attempts;
    int connections; /* AditConnections */
    enum log_level log_level;
    bool tcp_keep_alive;
    enum address_family address_family;
    char *bind_address; /* NULL: none */
    char *ciphers;      /* final comma lists */
    char *macs;
    char *kex_algorithms;
    char *host_key_algorithms;
    char *pubkey_accepted_algorithms;
    enum pubkey_authentication pubkey_authentication;
    struct rekey_limit rekey_limit;
    struct window_sizes window;
    char *proxy_jump;     /* NULL: none; hops by commas, without "ssh://" */
    char *proxy_command;  /* NULL: none; % tokens not expanded */
    char *ignore_unknown; /* NULL or a pattern list */
    bool fork_after_authentication;
    bool stdin_null;
    enum session_type session_type;
    enum request_tty request_tty;
    bool compression;
    bool permit_local_command;
    char *local_command;  /* NULL: none; % tokens not expanded */
    char *remote_command; /* NULL: none; expanded */
    char *tag;            /* NULL: none */
    enum control_master control_master;
    char *control_path; /* NULL: none; expanded */
    struct control_persist control_persist;
    int escape_char; /* a byte's value; -1: none */
    bool enable_escape_commandline;
    struct string_list send_env; /* patterns of names */
    struct string_list set_env;  /* "NAME=VALUE", each name once; expanded */
    enum forward_agent forward_agent;
    char *forward_agent_path; /* with AGENT_FORWARD_PATH: an expanded path, or "$VARIABLE" */
    enum add_keys_to_agent add_keys_to_agent;
    uint32_t add_keys_lifetime_s;         /* 0: for ever */
    struct string_list certificate_files; /* as written */
    char *ca_signature_algorithms;        /* final comma list */
    char *preferred_authentications;      /* comma list; NULL: the usual order */
    bool password_authentication, kbd_interactive_authentication;
    char *kbd_interactive_devices; /* comma list; NULL: none */
    int number_of_password_prompts;
    int required_rsa_size;       /* bits */
    char *security_key_provider; /* NULL: none; "internal" */
    bool check_host_ip;
    enum fingerprint_hash fingerprint_hash;
    bool visual_host_key;
    enum no_yes_ask verify_host_key_dns;
    char *known_hosts_command;            /* NULL: none; % tokens not expanded */
    struct string_list revoked_host_keys; /* expanded */
    bool no_host_authentication_for_localhost;
    struct string_list warn_weak_crypto; /* words as written; empty: the default, yes */
    enum tunnel_mode tunnel;
    int tunnel_local, tunnel_remote; /* TUNNEL_UNIT_ANY */
    char *bind_interface;            /* NULL: none */
    bool proxy_use_fdpass;
    struct ip_qos ip_qos;
    char *version_addendum;             /* NULL: none */
    char *refuse_connection;            /* NULL: none; the sentence to refuse with */
    struct string_list channel_timeout; /* "TYPE=TIME" */
    char *obscure_keystroke_timing;     /* "yes", "no", "interval:80" */
    int syslog_facility;                /* its number in RFC 5424 */
    struct string_list log_verbose;
    enum canonicalize_hostname canonicalize_hostname;
    struct string_list canonical_domains;
    bool canonicalize_fallback_local;
    int canonicalize_max_dots;
    struct string_list canonicalize_permitted_cnames; /* "SOURCES:TARGETS" */
    uint32_t forward_x11_timeout_s;                   /* printed only */
    char *hostbased_accepted_algorithms;              /* printed only */
};

void client_options_init(struct client_options *o);
void client_options_done(struct client_options *o);

/* One -o argument, "keyword=value" or "keyword value". ERR_CONFIG with an entry in report. */
enum err client_options_set(struct client_options *o, const char *assignment,
                            struct report *report) MUST_USE;

/*
 * One command-line letter that stands for an option (option_letter), its argument or NULL.
 * ERR_NOT_FOUND: the letter is no option; ERR_CONFIG: an entry in report says why.
 */
enum err client_options_set_letter(struct client_options *o, char letter, const char *argument,
                                   struct report *report) MUST_USE;

/*
 * The same for a keyword and its value as one word, in the place of what the option had: a letter
 * wins over what was said before it.
 */
enum err client_options_override(struct client_options *o, const char *keyword, const char *value,
                                 struct report *report) MUST_USE;

/* What reading may ask of the world; this room runs and looks up nothing. */
struct client_world {
    void *arg;
    /* Match exec: runs a command by the user's shell; *has_succeeded: it ended with 0. */
    enum err (*run)(void *arg, const char *command, bool *has_succeeded);
    /* Match localnetwork: appends this machine's addresses as text. */
    void (*addresses)(void *arg, struct string_list *out);
    /*
     * Whether a name has addresses (is_numeric: is one), and its canonical name or text without a
     * final dot in *canonical, which the caller owns; NULL: none is known.
     */
    bool (*resolve)(void *arg, const char *name, bool is_numeric, enum address_family family,
                    char **canonical);
};

/* What the files are read for. All strings are borrowed for the call. */
struct client_config_request {
    const char *host;        /* the destination as typed, without user@ and port; may be "" */
    const char *local_user;  /* the user who runs adit */
    const char *home;        /* for "~/" and relative Includes of the user's file; may be NULL */
    const char *user_file;   /* NULL: none ("-F none"); ~/.ssh/config, or what -F says */
    const char *system_file; /* NULL: none (with -F) */
    bool must_exist;         /* -F: a user_file that is not there is an error */
    const struct config_source *source;
    const char *command;              /* for the server, its words joined by blanks; NULL: none */
    const struct client_world *world; /* NULL: it answers no to everything */
    const struct client_facts *facts; /* for tokens; NULL: they stay as written */
};

/*
 * Reads the files after all options of the command line were set, then fills in the defaults.
 * Notes and warnings go to report. On error the last report entry says why, and *o is good for
 * client_options_done only.
 */
enum err client_options_load(struct client_options *o, const struct client_config_request *request,
                             struct report *report) MUST_USE;

/* ssh -G: lower-case keyword, space, value; reads back to itself. */
enum err client_options_print(const struct client_options *o, struct buf *out) MUST_USE;

/*
 * Where to connect to as far as it is known while files are read: HostName with %h put in, else the
 * host that was typed. The caller owns it.
 */
char *client_options_host_name(const struct client_options *o) MUST_USE;

/* True if a file or the command line gave the option, e.g. "IdentityFile". */
bool client_options_is_given(const struct client_options *o, const char *keyword);

#endif
