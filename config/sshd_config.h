/*
 * What aditd is to do: a file is loaded once (Include expanded, every line checked, Match blocks
 * too) and then resolved, for the listeners without facts and for each connection with them. A
 * restriction that is not built is never passed over in silence: it is an error in Match and a
 * warning elsewhere. No look-ups of users, groups or names happen here.
 */
#ifndef ADIT_CONFIG_SSHD_CONFIG_H
#define ADIT_CONFIG_SSHD_CONFIG_H

#include "base/log.h"
#include "config/option.h"
#include "config/server_value.h"
#include "config/source.h"
#include "config/ssh_config.h"

enum gateway_ports {
    GATEWAY_NO,
    GATEWAY_YES,
    GATEWAY_CLIENT_SPECIFIED,
};

/* Bits: 1 remote (listening here), 2 local (connecting from here). */
enum forwarding_allowed {
    FORWARDING_NO = 0,
    FORWARDING_REMOTE = 1,
    FORWARDING_LOCAL = 2,
    FORWARDING_ALL = 3,
};

enum permit_root_login {
    ROOT_NO,
    ROOT_FORCED_COMMANDS_ONLY,
    ROOT_PROHIBIT_PASSWORD,
    ROOT_YES,
};

enum compression {
    COMPRESSION_NO,
    COMPRESSION_DELAYED, /* once the user has logged in */
};

/* Bits. */
enum pubkey_auth_options {
    PUBKEY_TOUCH_REQUIRED = 1,
    PUBKEY_VERIFY_REQUIRED = 2,
};

/* Ours: which connections may share a process after login. */
enum isolation {
    ISOLATION_AUTO, /* by key where the key carries restrictions, else by user */
    ISOLATION_USER,
    ISOLATION_KEY,
    ISOLATION_CONNECTION,
};

enum log_format {
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON,
};

#define STARTUPS_UNLIMITED INT32_MAX

/* One address to listen on. */
struct listen_address {
    char *host; /* without brackets; NULL: every address of the family */
    uint16_t port;
};

/* Strings are owned; every field holds its value or OpenSSH's default. */
struct server_options {
    struct option_state state; /* first */
    struct port_list ports;
    struct string_list listen_texts; /* ListenAddress as written; use listen_addresses */
    enum address_family address_family;
    struct string_list host_keys;
    struct string_list host_certificates;
    char *host_key_agent;                     /* a socket's path, "SSH_AUTH_SOCK" or "none" */
    struct string_list authorized_keys_files; /* as written, %h %u %%; "none" alone: no file */
    char *authorized_keys_command;            /* a path and arguments with %-tokens, or "none" */
    char *authorized_keys_command_user;
    char *trusted_user_ca_keys;       /* a path, or "none" */
    struct string_list revoked_keys;  /* paths; "none" alone: none */
    char *authorized_principals_file; /* as written, %-tokens; "none": none */
    char *authorized_principals_command;
    char *authorized_principals_command_user;
    struct string_list authentication_methods; /* "publickey,password"; "any" alone: any one */
    bool password_authentication, kbd_interactive_authentication, permit_empty_passwords;
    bool use_pam;
    char *pam_service_name;
    int required_rsa_size;   /* bits; ours are never below 2048 */
    int pubkey_auth_options; /* enum pubkey_auth_options */
    bool strict_modes;
    enum permit_root_login permit_root_login;
    enum gateway_ports gateway_ports;
    enum forwarding_allowed allow_tcp_forwarding;
    enum forwarding_allowed allow_stream_local_forwarding;
    uint32_t stream_local_bind_mask; /* umask(2) of the sockets that are bound */
    bool stream_local_bind_unlink;   /* remove a stale socket before */
    bool allow_agent_forwarding;
    enum tunnel_mode permit_tunnel;
    bool disable_forwarding;          /* overrides all forwarding switches above and below */
    struct string_list permit_open;   /* "any" or "none" alone, or host:port, "*" on either side */
    struct string_list permit_listen; /* the same; a bare port became "*:port" */
    struct string_list allow_users;   /* USER or USER@HOST patterns; empty: everybody */
    struct string_list deny_users;
    struct string_list allow_groups; /* patterns of group names; empty: everybody */
    struct string_list deny_groups;
    struct string_list channel_timeouts;  /* TYPE=TIME; "none" alone: none */
    uint32_t unused_connection_timeout_s; /* 0: none */
    uint32_t client_alive_interval_s;     /* 0: none */
    int client_alive_count_max;           /* 0: never disconnect */
    uint32_t login_grace_time_s;          /* 0: none */
    int max_auth_tries;
    struct max_startups max_startups;
    int per_source_max_startups; /* STARTUPS_UNLIMITED: none */
    struct net_block_size per_source_net_block_size;
    struct source_penalties per_source_penalties;
    char *per_source_penalty_exempt_list; /* a comma list of addresses and networks, or "none" */
    bool refuse_connection;
    bool use_dns;
    char *version_addendum; /* "none": none */
    struct ip_qos ip_qos;
    enum compression compression;
    char *rdomain; /* always "none" here */
    enum isolation isolation;
    int max_sessions;
    /* Sessions. */
    bool permit_session; /* ours: no shell and no command at all with "no" */
    bool permit_tty, permit_user_rc, print_motd, print_last_log, expose_auth_info;
    char *force_command;           /* "none": none */
    struct string_list subsystems; /* "NAME COMMAND..." */
    struct string_list accept_env; /* patterns of names */
    struct string_list set_env;    /* NAME=VALUE */
    char *permit_user_environment; /* "no", "yes" or patterns of names */
    char *banner;                  /* a path, or "none" */
    char *pid_file;                /* "none": none */
    enum log_level log_level;
    enum log_format log_format;
    int syslog_facility; /* its number in RFC 5424 */
    struct string_list log_verbose;
    enum fingerprint_hash fingerprint_hash;
    char *chroot_directory; /* "none": none */
    char *moduli_file, *sshd_session_path, *sshd_auth_path;
    char *ciphers; /* final comma lists */
    char *macs;
    char *kex_algorithms;
    char *host_key_algorithms;
    char *pubkey_accepted_algorithms;
    char *hostbased_accepted_algorithms; /* kept and printed alone */
    char *ca_signature_algorithms;       /* no certificate names among them */
    bool pubkey_authentication;
    struct rekey_limit rekey_limit;
    struct window_sizes window;
    bool tcp_keep_alive;
    /* Made from ports and listen_texts when resolved: ready to bind, in order. */
    struct listen_address *listen_addresses;
    size_t listen_address_count;
};

void server_options_init(struct server_options *o);
void server_options_done(struct server_options *o);

/*
 * Who connects. Strings are borrowed; NULL: not known, and then a criterion that asks for it does
 * not match.
 */
struct connection_facts {
    const char *user;
    const char *host;          /* reverse name, or the address text where UseDNS is no */
    const char *address;       /* peer's, numeric; "UNKNOWN" for inetd mode over pipes */
    const char *local_address; /* numeric */
    uint16_t local_port;       /* 0: not known */
    const char *rdomain;       /* the routing domain that was listened in */
    bool is_invalid_user;      /* no such account */
    const struct string_list
        *groups; /* names, primary and supplementary; looked up by the caller */
};

struct sshd_config; /* loaded text; immutable */

struct server_config_request {
    const char *file;                      /* NULL: none, options only */
    const struct string_list *assignments; /* the -o arguments, first; NULL: none */
    const struct config_source *source;
};

/*
 * Reads and checks everything. On error the last report entry says why and *config is NULL.
 * Notes (keywords not built) and warnings (restrictions not built) go to report.
 */
enum err sshd_config_load(const struct server_config_request *request, struct sshd_config **config,
                          struct report *report) MUST_USE;
void sshd_config_free(struct sshd_config *config);

/*
 * The options that hold for one connection, or without facts (NULL) the global ones. o must be
 * initialised; it is filled wholly. An error is possible only for combinations that single lines
 * do not show.
 */
enum err sshd_config_resolve(const struct sshd_config *config, const struct connection_facts *facts,
                             struct server_options *o, struct report *report) MUST_USE;

/*
 * RefuseConnection, DenyUsers, AllowUsers, DenyGroups, AllowGroups, in this order; user, host,
 * address and groups as in the facts. What is not known is refused wherever a list asks for it.
 */
bool server_options_may_log_in(const struct server_options *o, const struct connection_facts *who);

/* sshd -T: lower-case keyword, space, value; reads back to itself. */
enum err server_options_print(const struct server_options *o, struct buf *out) MUST_USE;
/* The same without what is a default: for readers with the same table of them. */
enum err server_options_print_given(const struct server_options *o, struct buf *out) MUST_USE;

#endif
