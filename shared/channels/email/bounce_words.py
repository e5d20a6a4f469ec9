"""The words in which mail servers say why, PURE: the first row that is found decides, so what is sure stands first."""

from __future__ import annotations

WORDS = (
    ("virus", r"virus|infected|malware|trojan|worm detected"),
    (
        "reverse_dns",
        r"reverse ?(dns|mapping|lookup|address)|\bptr\b|\brdns\b|resolvable (relay )?host|without reverse|no reverse"
        r"|ip name lookup failed|(cannot|can't|unable to) (find|resolve) (your )?(hostname|ip)"
        r"|mismatches client ip|unverifyable sending"
        r"|client host rejected: cannot find|host(name)? does not (match|resolve)|dns checks? fail",
    ),
    ("host_unknown", r"account or domain may not exist"),
    ("reputation", r"reputation|senderbase|unexpected volume or user complaints"),
    (
        "expired",
        r"(message|envelope|queue)[ .]expired|not delivered within \d|message has been in the queue too long\b.{0,10}\("
        r"|all hosts have been failing",
    ),
    (
        "rejected",
        r"purported responsible|sender (address|domain)\b.{0,60}(reject|denied|not exist|invalid|unknown)"
        r"|domain of sender|unroutable sender|sender verify|from: domain is invalid|send mail as"
        r"|group you tried|support\.google\.com/[^\s]{0,60}group|groups\.google\.com",
    ),
    (
        "authentication",
        r"dmarc|\bspf\b|dkim (check|sig|fail|verif)|unauthenticated (email|mail)|sender is unauthenticated"
        r"|authentication information"
        r"|sender policy framework|requires all senders to authenticate",
    ),
    (
        "not_compliant",
        r"rfc ?\d{3,4}.{0,20}compl|compl\w+ .{0,20}rfc|multiple\s+(\S+\s+){0,4}addresses in from"
        r"|duplicate (subject|from)|bare (lf|newline)",
    ),
    (
        "too_many_connections",
        r"too many (\w+ ){0,3}(connections?|sessions)|connection (rate )?limit"
        r"|max(imum)? (number of )?(smtp )?connections"
        r"|exceeded .{0,40}connections|frequency limited|too many recipients"
        r"|concurren\w+ (smtp )?(connection|limit)|too many (domains|recipients) per",
    ),
    (
        "speeding",
        r"too (fast|quickly)|receiving mail (at|too)|throttl|slow down|sending rate"
        r"|please retry more slowly",
    ),
    (
        "spam",
        r"content rejected|black ?listed url|url .{0,40}black ?list|uribl"
        r"|\bspam\b(?!haus|cop)|spam ?(message|mail|content|detected|score)|unsolicited"
        r"|\bubl or surbl|\buce\b|bulk mail"
        r"|junk mail|looks like spam|classified as|advertis|spam(my)?$|rejected .{0,30}content policy",
    ),
    (
        "mailbox_full",
        r"mail ?(box|drop|folder|spool).{0,60}(\bfull\b|exceed|quota|over ?(size|limit)|too large)"
        r"|over.{0,25}(quota|storage|allocat|disk)|out of (disk|storage)|quota"
        r"|(inbox|account|user|recipient).{0,30}(is|are|was) (too )?(full|over)|insufficient (disk|mailbox"
        r"|storage)|not enough (disk|storage|space)"
        r"|storage (limit|exceed|alloc)|mailbox would exceed|ящик .{0,60}(заполнен|переполнен)"
        r"|превы.{0,40}(квот|лимит|размер ящ)|disk space limit"
        r"|too much mail|size limit .{0,20}mailbox|容量|mailfull|exceeded storage|диск",
    ),
    (
        "limit",
        r"exceeds administrative limit|line limit|message (length|size) exceeds (limit|fixed|the recipient)"
        r"|exceeds? (fixed )?maximum (fixed )?(message )?size|exceeds? .{0,30}set by recipient",
    ),
    (
        "too_large",
        r"(message|mail|e-mail|data|header and body|content).{0,30}(is |was )?(too (big|large)|size (exceed"
        r"|limit)|exceeds? .{0,60}(size|limit))"
        r"|size exceeds|larger than|exceeds? (the )?(maximum|allowed|size)|too large for this recipient",
    ),
    (
        "not_accepting",
        r"null mx|(does not|doesn't) (accept|receive) (any )?(e?-?mail|mail|messages)|no mx (record )?found"
        r"|(cannot|couldn't) find a mail exchanger"
        r"|malformed or unexpected name server|mail server for .{0,60}accept|no mail (is )?accept"
        r"|not accept(ing)? (any )?mail\b|not accept mail|unable to look ?up .{0,20}mx"
        r"|an mx or srv record indicated no smtp service"
        r"|all relevant mx records point to non-existent",
    ),
    (
        "no_relaying",
        r"relay(ing)? (\w+ ){0,2}(denied|not (allowed|permitted)|prohibited)|(cannot|not|unable to|don't"
        r"|won't|not configured to) relay|no relaying"
        r"|insecure mail relay|email address is not verified|relay not permitted|must authenticate"
        r"|relaying mail|open relay|local domains only"
        r"|not a (valid|open) relay|mail relay",
    ),
    (
        "blocked",
        r"(ip|host|client|address|server|network|connection|sender)\b.{0,60}(black ?list|block(ed)?\b"
        r"|banned|bloque|denied access|listed|not allowed to connect)|black ?list"
        r"|dnsbl|\brbl\b|block(ed)? (using|list|by|for)|blocked -|spamhaus|spamcop|\bsorbs\b|barracuda"
        r"|proofpoint.{0,20}(block|dnsbl)|client host rejected|banned sending|\bbl\b\)"
        r"|(your|mail|sending) (ip|host|server|network).{0,60}(reject|refus|denied|block)"
        r"|not accepting connections|invalid ip|bad (dns|helo)|helo.{0,30}(reject|invalid|bad)"
        r"|please use the smtp server of your isp|ip address .{0,40}reject|access denied, banned"
        r"|refused by .{0,20}(filter|policy)|forged|dynamic (ip|address|host|pool)|dialup|553 .{0,20}\(sender\)"
        r"|rejected by .{0,10}(black|block|rbl)|is in a black|may not be mail exchanger"
        r"|domain .{0,30}(is )?blocked|not permitted to send|connection (refused|dropped) by .{0,20}policy"
        r"|sender rejected|your (server|host) .{0,30}(is )?not|we do not accept mail from (hosts|dynamic"
        r"|your)|deny .{0,30}ip",
    ),
    (
        "policy",
        r"polic(y|ies)|protocol violation|header error|presents a potential|message not allowed"
        r"|network not allowed|potential security|attachment (type|file).{0,40}(not|block|prohib)"
        r"|prohibited (attachment|file)|file (type|name) .{0,20}not|you have exceeded the maximum",
    ),
    (
        "suspended",
        r"(account|mailbox|user|recipient|address|domain)\b.{0,60}\b(suspend|disabled|inactive|deactivated"
        r"|discontinued|not active|locked|frozen|terminated|closed|not currently active|disactivated)"
        r"|suspend|account is (locked|blocked|bloque)|compte .{0,30}bloque|disabled"
        r"|temporarily unavailable user|invalid/inactive|заблокирован|отключ[её]н|not activated"
        r"|account that you tried to reach is (over|disabled|inactive)|no longer (active|in use|valid)",
    ),
    (
        "moved",
        r"has (been )?moved|no longer on (this )?server|recipient no longer|not our (user|customer)"
        r"|new address|has changed .{0,20}address|address changed",
    ),
    (
        "security",
        r"unauthenticated senders|access denied \(state|does not support tls|auth(entication)? (required"
        r"|failure|failed|turned on)|login (denied|fail)|encryption (required|needed)|must issue a starttls"
        r"|tls (required|is required|negotiation)|security (reasons|policy|settings)|turn on smtp auth"
        r"|not (authorized|authorised|allowed)|unauthori[sz]ed|permission denied|\bauthorization\b"
        r"|failed to delivery|certificate|sent to a restricted",
    ),
    ("network", r"host not found, try again"),
    (
        "host_unknown",
        r"(?<![@\w.-])[\w-]+\.[\w.-]+ does not exist|host (is )?(unknown|not found)|unknown host"
        r"|host [^:\n<]{0,80}not found"
        r"|(domain|host)\b(?!\. )(?:[^:\n<.]|\.(?! )){0,80}(does ?n.t exist|not exist|not found"
        r"|unknown|invalid|is not reachable|unrouteable|cannot be (found|resolved))"
        r"|no such (domain|host)|invalid domain|(unable|can.?not|couldn.t) (to )?(find|route"
        r"|resolve) .{0,60}(host|domain)|name (or service )?not known|domain not found"
        r"|bad destination (system|host)|unrouteable (mail )?domain"
        r"|illegal host|domain .{0,60}is not (valid|known)|name server: .{0,20}not found"
        r"|address .{0,30}domain .{0,20}not|could ?n.t find any host|no a(aaa)? record|неизвестный (домен"
        r"|хост)|домен .{0,20}не (существует|найден)"
        r"|couldn't find any host|mx (lookup|points)|all host address lookups failed|non-existent (host"
        r"|domain)|no valid (hosts|mx)|address of .{0,40}not found",
    ),
    (
        "network",
        r"dns (error|query failed|lookup)|too many hops|hop count|routing loop|mail loop|loop(ing)? (back"
        r"|detected)|network (is )?(error|unreachable|down)|lost connection|no route to host"
        r"|connection (reset|aborted|was dropped|lost|refused)|name ?server"
        r"|establish an smtp connection|(could|can)( ?not|n't) connect|connect\w* .{0,40}(fail|refused)"
        r"|host (is )?(unreachable|down)|tls handshake|forwarded more than|name lookup (fail|fault)"
        r"|name service error|ssl_|broken pipe|temporary error in (name|dns)|address family"
        r"|host .{0,40}not responding|routing (error|fault)|unable to (contact|reach)",
    ),
    (
        "mailer",
        r"procmail|mailer (error|died)|\bexit (code|value|status)|command (died|failed|output)|died with"
        r"|pipe (to|to \|)|local delivery failed|x-unix|exit \d+|unknown mailer error"
        r"|service unavailable .{0,4}\(\$\)|temporary failure\. command|lmtp|/usr/(local/)?(lib|bin|sbin)"
        r"|uucp|cannot exec|return code",
    ),
    (
        "system_full",
        r"(insufficient|no|out of) (system )?(storage|resources|disk space)|system (storage"
        r"|disk) (is )?full|mail system full|file system full|disk full|no space left|queue file write",
    ),
    # "550 : User unknown" without an address is how KDDI (au.com) says at DATA that its subscriber filters
    ("filtered", r"550:? ?: user unknown|recipient preferences|message filtered|domain.?filter"),
    (
        "user_unknown",
        r"(address(es)?|^[45]\d\d <?[^\s@<>]{1,64}@[^\s@<>]{1,250}>?) rejected"
        r" ?([.\s]*$|: ?(user|undeliverable|access denied|unknown|unverified|no such))"
        r"|(user|recipient|mailbox|account|address|destinataire|login|person|alias|userid|member|subscriber"
        r"|addressee|name|box|list|person's)\b(?! .{0,40}(sender))[^.;\n]{0,80}?(unknown|not (be )?(found"
        r"|known|exist|listed|recogni[sz]ed|valid)|does ?n.t (exist|have)|does not (exist|have)|invalid"
        r"|unavailable|isn't|no such|undeliverable|not in|not here|unrouteable|no longer)"
        r"|(unknown|invalid|no such|illegal|bad|no|undefined|unrouteable|nonexistent|non-existent"
        r"|not a valid|no valid) (local |final |virtual |e-?mail |recipient |destination |delivery "
        r"|intended )*(user|recipient|mailbox|account|address|userid|person|alias|local part|addressee|part)s?"
        r"|user ?unknown|(does ?n.t|does not) have an? .{0,60}account|not listed in|(couldn.t be|wasn.t) found"
        r"|isn't listed|no mailbox here|not our|recipnotfound|recipient .{0,10}not ?found|not a (known"
        r"|valid|local) (user|recipient|address)|unknown (address|or illegal)"
        r"|delivery to this address is restricted|can't find .{0,20}user"
        r"|there is no (one|user|such|mailbox|account)|пользовател\w+ .{0,60}не (найден|существует"
        r"|зарегистр)|ящик\w* .{0,60}не (найден|существует)|нет такого (пользователя|ящика|адреса)"
        r"|адрес\w* .{0,40}не (найден|существует)|見つかりません|ありません|unable to (find|relay"
        r"|deliver to) .{0,20}(user|recipient|mailbox|address)|no account|5\.1\.1"
        r"|user does ?n.t|not exist|rcp-p1|reduced to|(verify|check) .{0,20}(the"
        r"|your)? ?recipient.{0,20}address|unknown$|RCP-P1|mailbox unavailable|did not match|(check"
        r"|verify) if address is correct|known here",
    ),
    (
        "filtered",
        r"due to recipient preferences|message filtered|filtered|refused .{0,20}(by"
        r"|due to) .{0,20}(recipient|user)|domain.?filter|rejected by the (user|recipient)|we do not (want"
        r"|accept)|blocked by (user|recipient)",
    ),
    (
        "content",
        r"content (error|not)|duplicate header|8-?bit data|headers? too (large|long|many)|mime (error"
        r"|boundar)|malformed(?! (e-?mail )?address)|(message|mail) content|charset|not supported (format|content)",
    ),
    (
        "rejected",
        r"sender (address|domain|is)?.{0,60}(reject|denied|not exist|invalid|unknown|unverified"
        r"|verify fail)|domain of sender|sender verify|mail from.{0,40}reject|user complaints"
        r"|unexpected volume|<> .{0,40}(not|reject)|null sender|envelope blocked|bounce.{0,20}not accept"
        r"|from address|purported|empty envelope|"
        r"send mail as|group you tried|groups? .{0,60}(post|permission)|verify your sender"
        r"|policy restrictions on sender|backscatter|administrative prohibition|message rejected"
        r"|rejected: sender|not (a )?member",
    ),
    (
        "syntax",
        r"malformed (e-?mail )?address|parameter not implemented"
        r"|improper sequence|syntax error|command (not recogni|unrecogni"
        r"|not implement)|unrecogni[sz]ed command|bad sequence|unimplemented|invalid argument|illegal command",
    ),
    (
        "expired",
        r"expired|timed? ?out|timeout|(message|queue|delivery|retry|retention).{0,40}(expired|time|too long"
        r"|giv\w+ up)|giving up|multiple retries|could not be delivered for|retry (time|limit)"
        r"|not (yet )?been delivered .{0,20}(after|within)|failed \d+ attempts"
        r"|did not accept our requests to connect|has been delayed|delayed for more than|is delayed"
        r"|warning message only"
        r"|warning only|for the last \d+ seconds|notification about a delay"
        r"|exceeded maximum delivery attempts|try again later|queue period|still being|истек|задерж"
        r"|has not yet been|deferred|resources temporarily",
    ),
    (
        "system",
        r"transaction failed|service refused|could not (load|read|open) |system (error|problem|config\w+|resources)"
        r"|internal (error|server)|server (error|configuration)|local (error|configuration|problem)"
        r"|i/o error|cannot open|can't (create|open)|error in processing|configuration (error|problem)"
        r"|temporary (local )?(problem|failure|error)|processing error|requested action aborted"
        r"|undefined error|unknown error|fatal error|software error|no such file|mail server (error"
        r"|problem)|mail for .{0,60}loops|lookup failure|out of memory",
    ),
)
