//! Projects, tokens, users, roles, sessions, and the log that tells who changed them.

use secrecy::SecretString;
use serde_json::json;

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::account::{ADMIN_ROLE, Membership, Role, Session, User};
use crate::domain::audit::{Actor, Entry, Origin, Target};
use crate::domain::clock::Millis;
use crate::domain::id::{AuditId, DEFAULT_PROJECT, ProjectId, SessionId, TokenId, UserId};
use crate::domain::page::{Cursor, PageRequest};
use crate::domain::password::PasswordHash;
use crate::domain::permission::{Permission, Permissions};
use crate::domain::project::Project;
use crate::domain::token::{PlainToken, Token, TokenHash};
use crate::domain::webhook::Webhook;
use crate::store::{
    AuditSearch, ChangedRole, ChangedUser, DeletedProject, LoggedEntry, StoreError, TokensOf, UserFilter, WorkKind,
};

on_both!(
    projects_come_back_as_they_were_stored_and_changed,
    a_project_in_which_something_is_open_is_not_deleted,
    what_belongs_to_a_deleted_project_goes_with_it,
    tokens_belong_to_their_project,
    a_revoked_token_is_gone,
    when_a_token_was_used_only_moves_on,
    users_come_back_as_they_were_stored_and_changed,
    an_address_is_there_once,
    only_one_user_is_the_first,
    the_last_admin_stays,
    of_two_admins_at_once_one_stays,
    roles_say_what_their_members_may_do,
    a_role_that_is_held_is_not_deleted,
    a_session_ends_with_what_it_stands_for,
    of_a_users_sessions_the_newest_are_kept,
    sessions_that_are_over_are_forgotten,
    what_is_changed_is_told_in_the_same_transaction,
    the_audit_log_is_searched_and_paged,
);

const ALL: PageRequest = PageRequest { limit: 200, cursor: None };

impl Stage {
    fn project(&self) -> Project {
        Project {
            retention: crate::domain::retention::Retention::default(),
            id: ProjectId::new(NOW, self.entropy.id()),
            name: "Board".to_owned(),
            description: Some("Retros".to_owned()),
            external_id: Some("board-7".to_owned()),
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    pub(super) async fn stored_project(&self) -> ProjectId {
        let project = Project { external_id: None, ..self.project() };
        self.store.insert_project(&project).await.unwrap();
        project.id
    }

    /// Makes sure that there is a project of this id.
    pub(super) async fn store_project(&self, id: ProjectId) {
        if self.store.project(id).await.unwrap().is_none() {
            self.store.insert_project(&Project { id, external_id: None, ..self.project() }).await.unwrap();
        }
    }

    async fn stored_token(&self, project: Option<ProjectId>) -> (Token, TokenHash) {
        let plain = PlainToken::from_bytes(self.entropy.bytes());
        let token = Token {
            id: TokenId::new(NOW, self.entropy.id()),
            project,
            name: "ci".to_owned(),
            prefix: plain.shown(),
            permissions: Permissions::of(&[Permission::EventsPublish]),
            expires_at: None,
            created_by: "user ada@example.com".to_owned(),
            created_at: NOW,
            last_used_at: None,
            version: 1,
        };
        self.store.insert_token(&token, plain.hash()).await.unwrap();
        (token, plain.hash())
    }

    fn user(&self, email: &str, memberships: Vec<Membership>) -> User {
        User {
            id: UserId::new(NOW, self.entropy.id()),
            email: email.to_owned(),
            name: "Ada".to_owned(),
            memberships,
            has_password: true,
            disabled_at: None,
            last_login_at: None,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    async fn stored_user(&self, email: &str, memberships: Vec<Membership>) -> User {
        let user = self.user(email, memberships);
        self.store.insert_user(&user, Some(&password())).await.unwrap();
        user
    }

    async fn stored_session(&self, user: UserId, at: Millis) -> (Session, TokenHash) {
        let secret = PlainToken::from_bytes(self.entropy.bytes());
        let session = Session {
            id: SessionId::new(at, self.entropy.id()),
            user,
            created_at: at,
            seen_at: at,
            expires_at: at.plus(1000),
            address: Some("192.0.2.1".to_owned()),
            user_agent: None,
        };
        self.store.insert_session(&session, secret.hash(), 3).await.unwrap();
        (session, secret.hash())
    }

    pub(super) fn entry(&self, at: Millis, action: &'static str) -> Entry {
        Entry {
            id: AuditId::new(at, self.entropy.id()),
            project: Some(DEFAULT_PROJECT),
            actor: Actor::system("a test"),
            origin: Origin::default(),
            action,
            target: Target::new("webhook", "whk_1"),
            before: None,
            after: None,
        }
    }

    async fn audit_lines(&self, search: AuditSearch) -> Vec<LoggedEntry> {
        let search = AuditSearch { rows: 1000, ..search };
        self.store.audit_log(&search, ALL).await.unwrap().items
    }
}

/// Stored as any text; whether it is somebody's password is for the domain to say.
fn password() -> PasswordHash {
    PasswordHash::from_stored("$argon2id$".to_owned())
}

fn everywhere(role: &str) -> Membership {
    Membership { role: role.to_owned(), project: None }
}

fn role(name: &str, permissions: &[Permission]) -> Role {
    Role {
        name: name.to_owned(),
        description: "A role".to_owned(),
        permissions: Permissions::of(permissions),
        is_builtin: false,
        version: 1,
    }
}

async fn projects_come_back_as_they_were_stored_and_changed(stage: Stage) {
    let project = stage.project();
    stage.store.insert_project(&project).await.unwrap();
    assert_eq!(stage.store.project(project.id).await.unwrap(), Some(project.clone()));
    assert_eq!(stage.store.project_called("board-7").await.unwrap(), Some(project.clone()));
    let again = Project { id: ProjectId::new(NOW, 9), ..project.clone() };
    assert!(matches!(stage.store.insert_project(&again).await, Err(StoreError::Constraint(_))));
    let changed = Project { name: "Boards".to_owned(), description: None, external_id: None, version: 2, ..project };
    assert!(stage.store.update_project(&changed, 1).await.unwrap());
    assert!(!stage.store.update_project(&changed, 1).await.unwrap(), "somebody else was faster");
    assert_eq!(stage.store.project(changed.id).await.unwrap(), Some(changed.clone()));
    assert!(stage.store.project_called("board-7").await.unwrap().is_none());
    let all: Vec<ProjectId> = stage.store.projects(ALL).await.unwrap().items.iter().map(|project| project.id).collect();
    assert_eq!(all, [changed.id, DEFAULT_PROJECT]);
    let some = stage.store.projects_among(&[changed.id, again.id], ALL).await.unwrap();
    assert_eq!(some.items, [changed]);
}

async fn a_project_in_which_something_is_open_is_not_deleted(stage: Stage) {
    let id = stage.stored_project().await;
    let webhook = Webhook { project: id, ..stage.webhook() };
    stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    let delete = async || stage.store.delete_project(id, NOW).await.unwrap();
    assert_eq!(delete().await, DeletedProject::InUse { webhooks: 1, jobs: 0, work: 0 });
    stage.store.delete_webhook(id, webhook.id, NOW).await.unwrap();
    assert_eq!(delete().await, DeletedProject::Yes);
    assert_eq!(delete().await, DeletedProject::NotThere);
    assert!(stage.store.project(id).await.unwrap().is_none());
    let late = Webhook { project: id, ..stage.webhook() };
    let refused = stage.store.insert_webhook(&late, &stage.entropy).await;
    assert!(matches!(refused, Err(StoreError::NoProject)), "{refused:?}");
    let webhook = stage.stored_webhook().await;
    stage.accepted(&webhook, WorkKind::Send, None).await;
    let open = stage.store.delete_project(DEFAULT_PROJECT, NOW).await.unwrap();
    assert_eq!(open, DeletedProject::InUse { webhooks: 1, jobs: 0, work: 1 });
}

async fn what_belongs_to_a_deleted_project_goes_with_it(stage: Stage) {
    let project = stage.project();
    stage.store.insert_project(&project).await.unwrap();
    let (_, hash) = stage.stored_token(Some(project.id)).await;
    let (_, kept) = stage.stored_token(None).await;
    let member = Membership { role: "viewer".to_owned(), project: Some(project.id) };
    let user = stage.stored_user("ada@example.com", vec![member]).await;
    assert_eq!(stage.store.delete_project(project.id, NOW).await.unwrap(), DeletedProject::Yes);
    assert!(stage.store.token(hash).await.unwrap().is_none() && stage.store.token(kept).await.unwrap().is_some());
    assert!(stage.store.user(user.id).await.unwrap().unwrap().memberships.is_empty());
    stage.store.insert_project(&Project { id: ProjectId::new(NOW, 5), ..project }).await.expect("its name is free");
}

async fn tokens_belong_to_their_project(stage: Stage) {
    let other = stage.stored_project().await;
    let (own, hash) = stage.stored_token(Some(DEFAULT_PROJECT)).await;
    let (foreign, _) = stage.stored_token(Some(other)).await;
    let (global, _) = stage.stored_token(None).await;
    assert_eq!(stage.store.token(hash).await.unwrap(), Some(own.clone()));
    let ids = async |of| -> Vec<TokenId> {
        stage.store.tokens(of, None, ALL).await.unwrap().items.iter().map(|token| token.id).collect()
    };
    assert_eq!(ids(TokensOf::Project(DEFAULT_PROJECT)).await, [own.id]);
    let mut both = ids(TokensOf::ProjectAndAll(DEFAULT_PROJECT)).await;
    both.sort_unstable();
    let mut expected = vec![own.id, global.id];
    expected.sort_unstable();
    assert_eq!(both, expected);
    let find = async |of, id| stage.store.token_of(of, id).await.unwrap().is_some();
    assert!(!find(TokensOf::ProjectAndAll(DEFAULT_PROJECT), foreign.id).await);
    assert!(!find(TokensOf::Project(DEFAULT_PROJECT), global.id).await);
    assert!(find(TokensOf::ProjectAndAll(other), global.id).await && find(TokensOf::Project(other), foreign.id).await);
    let nowhere = Token { project: Some(ProjectId::new(NOW, 9)), id: TokenId::new(NOW, 9), ..own };
    let refused = stage.store.insert_token(&nowhere, PlainToken::from_text("x").hash()).await;
    assert!(matches!(refused, Err(StoreError::NoProject)));
}

async fn a_revoked_token_is_gone(stage: Stage) {
    let (token, hash) = stage.stored_token(None).await;
    let changed = Token { name: "new".to_owned(), expires_at: Some(NOW.plus(5)), version: 2, ..token.clone() };
    assert!(stage.store.update_token(&changed, 1).await.unwrap());
    assert!(!stage.store.update_token(&changed, 1).await.unwrap());
    assert_eq!(stage.store.token(hash).await.unwrap(), Some(changed));
    assert!(stage.store.revoke_token(token.id, NOW).await.unwrap());
    assert!(!stage.store.revoke_token(token.id, NOW).await.unwrap());
    assert!(stage.store.token(hash).await.unwrap().is_none());
    assert!(stage.store.tokens(TokensOf::ProjectAndAll(DEFAULT_PROJECT), None, ALL).await.unwrap().items.is_empty());
    assert!(stage.store.has_tokens().await.unwrap(), "the first start is over for ever");
}

async fn when_a_token_was_used_only_moves_on(stage: Stage) {
    let [(one, hash), (two, _)] = [stage.stored_token(None).await, stage.stored_token(None).await];
    stage.store.touch_tokens(vec![(one.id, NOW.plus(5)), (two.id, NOW)]).await.unwrap();
    // Another node was slower to say so.
    stage.store.touch_tokens(vec![(one.id, NOW.plus(1))]).await.unwrap();
    assert_eq!(stage.store.token(hash).await.unwrap().unwrap().last_used_at, Some(NOW.plus(5)));
    stage.store.touch_tokens(Vec::new()).await.unwrap();
}

async fn users_come_back_as_they_were_stored_and_changed(stage: Stage) {
    let project = stage.stored_project().await;
    let member = Membership { role: "developer".to_owned(), project: Some(project) };
    let user = stage.stored_user("ada@example.com", vec![everywhere("viewer"), member.clone()]).await;
    assert_eq!(stage.store.user(user.id).await.unwrap(), Some(user.clone()));
    let (called, hash) = stage.store.user_called("ada@example.com").await.unwrap().unwrap();
    assert_eq!((called, hash), (user.clone(), Some(password())));
    let changed = User {
        email: "ada@lovelace.example".to_owned(),
        memberships: vec![member],
        disabled_at: Some(NOW),
        version: 2,
        ..user.clone()
    };
    let other = PasswordHash::from_stored("another".to_owned());
    assert_eq!(stage.store.update_user(&changed, Some(&other), 1).await.unwrap(), ChangedUser::Yes);
    assert_eq!(stage.store.update_user(&changed, None, 1).await.unwrap(), ChangedUser::Stale);
    let (called, hash) = stage.store.user_called("ada@lovelace.example").await.unwrap().unwrap();
    assert_eq!((called, hash), (changed, Some(other)));
    assert_eq!(stage.store.users(&UserFilter::default(), ALL).await.unwrap().items.len(), 1);
    assert_eq!(stage.store.delete_user(user.id, NOW).await.unwrap(), ChangedUser::Yes);
    assert_eq!(stage.store.delete_user(user.id, NOW).await.unwrap(), ChangedUser::Stale);
    assert!(stage.store.user(user.id).await.unwrap().is_none());
    let lost = stage.user("b@example.com", vec![everywhere("nobody-knows")]);
    assert!(matches!(stage.store.insert_user(&lost, None).await, Err(StoreError::Constraint(_))));
}

async fn an_address_is_there_once(stage: Stage) {
    let user = stage.stored_user("ada@example.com", Vec::new()).await;
    let second = stage.user("ada@example.com", Vec::new());
    assert!(matches!(stage.store.insert_user(&second, None).await, Err(StoreError::Constraint(_))));
    stage.store.delete_user(user.id, NOW).await.unwrap();
    stage.store.insert_user(&second, None).await.expect("the address is free");
}

async fn only_one_user_is_the_first(stage: Stage) {
    let [one, two] = ["a@example.com", "b@example.com"].map(|email| stage.user(email, vec![everywhere(ADMIN_ROLE)]));
    let hash = password();
    assert!(!stage.store.has_users().await.unwrap());
    let first = |user| stage.store.insert_first_user(user, &hash);
    let (a, b) = tokio::join!(first(&one), first(&two));
    assert!(a.unwrap() ^ b.unwrap(), "one of them");
    assert_eq!(stage.store.users(&UserFilter::default(), ALL).await.unwrap().items.len(), 1);
}

async fn the_last_admin_stays(stage: Stage) {
    let admin = stage.stored_user("a@example.com", vec![everywhere(ADMIN_ROLE)]).await;
    stage.stored_user("b@example.com", vec![everywhere("developer")]).await;
    // Neither who cannot log in nor who is disabled nor who does so in one project only counts.
    stage.store.insert_user(&stage.user("c@example.com", vec![everywhere(ADMIN_ROLE)]), None).await.unwrap();
    let disabled = User { disabled_at: Some(NOW), ..stage.user("d@example.com", vec![everywhere(ADMIN_ROLE)]) };
    stage.store.insert_user(&disabled, Some(&password())).await.unwrap();
    let in_one = Membership { role: ADMIN_ROLE.to_owned(), project: Some(DEFAULT_PROJECT) };
    stage.stored_user("e@example.com", vec![in_one]).await;
    let demoted = User { memberships: Vec::new(), version: 2, ..admin.clone() };
    let disabled = User { disabled_at: Some(NOW), version: 2, ..admin.clone() };
    for change in [&demoted, &disabled] {
        assert_eq!(stage.store.update_user(change, None, 1).await.unwrap(), ChangedUser::LastAdmin);
    }
    assert_eq!(stage.store.delete_user(admin.id, NOW).await.unwrap(), ChangedUser::LastAdmin);
    // A role of one's own does as well, as long as it allows it.
    stage.store.insert_role(&role("owner", &[Permission::Admin])).await.unwrap();
    stage.stored_user("f@example.com", vec![everywhere("owner")]).await;
    assert_eq!(stage.store.update_user(&demoted, None, 1).await.unwrap(), ChangedUser::Yes);
    let weaker = Role { version: 2, ..role("owner", &[Permission::AuditRead]) };
    assert_eq!(stage.store.update_role(&weaker, 1).await.unwrap(), ChangedRole::LastAdmin);
}

async fn of_two_admins_at_once_one_stays(stage: Stage) {
    let one = stage.stored_user("a@example.com", vec![everywhere(ADMIN_ROLE)]).await;
    let two = stage.stored_user("b@example.com", vec![everywhere(ADMIN_ROLE)]).await;
    let (a, b) = tokio::join!(stage.store.delete_user(one.id, NOW), stage.store.delete_user(two.id, NOW));
    let mut ends = [a.unwrap(), b.unwrap()];
    ends.sort_by_key(|end| *end != ChangedUser::Yes);
    assert_eq!(ends, [ChangedUser::Yes, ChangedUser::LastAdmin]);
}

async fn roles_say_what_their_members_may_do(stage: Stage) {
    let project = stage.stored_project().await;
    stage.store.insert_role(&role("on-call", &[Permission::DeliveriesRetry])).await.unwrap();
    assert!(matches!(stage.store.insert_role(&role("on-call", &[])).await, Err(StoreError::Constraint(_))));
    let member = Membership { role: "on-call".to_owned(), project: Some(project) };
    let user = stage.stored_user("ada@example.com", vec![everywhere("trigger"), member]).await;
    let grants = stage.store.grants(&user).await.unwrap();
    assert!(grants.within(project).allow(Permission::DeliveriesRetry));
    assert!(!grants.within(DEFAULT_PROJECT).allow(Permission::DeliveriesRetry));
    assert!(grants.within(DEFAULT_PROJECT).allow(Permission::CanTriggerIntegrations));
    let changed = Role { version: 2, ..role("on-call", &[Permission::PluginsRead]) };
    assert_eq!(stage.store.update_role(&changed, 1).await.unwrap(), ChangedRole::Yes);
    assert_eq!(stage.store.update_role(&changed, 1).await.unwrap(), ChangedRole::Stale);
    assert_eq!(stage.store.role("on-call").await.unwrap(), Some(changed));
    let grants = stage.store.grants(&user).await.unwrap();
    assert!(!grants.within(project).allow(Permission::DeliveriesRetry));
    let names: Vec<String> = stage.store.roles().await.unwrap().into_iter().map(|role| role.name).collect();
    assert_eq!(names, ["admin", "operator", "developer", "viewer", "trigger", "on-call"]);
}

async fn a_role_that_is_held_is_not_deleted(stage: Stage) {
    stage.store.insert_role(&role("on-call", &[Permission::DeliveriesRetry])).await.unwrap();
    let user = stage.stored_user("ada@example.com", vec![everywhere("on-call")]).await;
    assert_eq!(stage.store.delete_role("on-call").await.unwrap(), ChangedRole::InUse(1));
    stage.store.delete_user(user.id, NOW).await.unwrap();
    assert_eq!(stage.store.delete_role("on-call").await.unwrap(), ChangedRole::Yes);
    assert_eq!(stage.store.delete_role("on-call").await.unwrap(), ChangedRole::Stale);
}

async fn a_session_ends_with_what_it_stands_for(stage: Stage) {
    let user = stage.stored_user("ada@example.com", vec![everywhere("viewer")]).await;
    let [(one, first), (_, second)] =
        [stage.stored_session(user.id, NOW).await, stage.stored_session(user.id, NOW).await];
    let found = stage.store.logged_in(first).await.unwrap().unwrap();
    assert_eq!((&found.session, found.user.id), (&one, user.id));
    assert_eq!(found.user.last_login_at, Some(NOW));
    assert!(found.grants.everywhere.allow(Permission::WebhooksRead));
    // Another password ends all but the one that it was changed in.
    assert!(stage.store.set_password(user.id, &password(), Some(one.id), NOW).await.unwrap());
    assert!(stage.store.logged_in(first).await.unwrap().is_some());
    assert!(stage.store.logged_in(second).await.unwrap().is_none());
    let stranger = UserId::new(NOW, 3);
    assert!(!stage.store.end_session(one.id, Some(stranger)).await.unwrap());
    assert!(stage.store.end_session(one.id, Some(user.id)).await.unwrap());
    let (_, third) = stage.stored_session(user.id, NOW).await;
    let current = stage.store.user(user.id).await.unwrap().unwrap();
    let disabled = User { disabled_at: Some(NOW), version: current.version + 1, ..current.clone() };
    assert_eq!(stage.store.update_user(&disabled, None, current.version).await.unwrap(), ChangedUser::Yes);
    assert!(stage.store.logged_in(third).await.unwrap().is_none());
}

async fn of_a_users_sessions_the_newest_are_kept(stage: Stage) {
    let user = stage.stored_user("ada@example.com", Vec::new()).await;
    let other = stage.stored_user("b@example.com", Vec::new()).await;
    let (kept, _) = stage.stored_session(other.id, NOW).await;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(stage.stored_session(user.id, NOW.plus(n)).await.0.id);
    }
    let left: Vec<SessionId> =
        stage.store.sessions(user.id, NOW).await.unwrap().into_iter().map(|session| session.id).collect();
    assert_eq!(left, [made[4], made[3], made[2]]);
    assert_eq!(stage.store.sessions(other.id, NOW).await.unwrap(), [kept]);
    assert_eq!(stage.store.end_sessions_of(user.id).await.unwrap(), 3);
    assert!(stage.store.sessions(user.id, NOW).await.unwrap().is_empty());
}

async fn sessions_that_are_over_are_forgotten(stage: Stage) {
    let user = stage.stored_user("ada@example.com", Vec::new()).await;
    let (session, hash) = stage.stored_session(user.id, NOW).await;
    let end = session.expires_at;
    assert_eq!(stage.store.sessions(user.id, Millis(end.0 - 1)).await.unwrap().len(), 1);
    assert!(stage.store.sessions(user.id, end).await.unwrap().is_empty());
    assert_eq!(stage.store.forget_sessions(Millis(end.0 - 1), NOW).await.unwrap(), 0);
    stage.store.touch_sessions(vec![(session.id, NOW.plus(5))]).await.unwrap();
    assert_eq!(stage.store.forget_sessions(NOW, NOW.plus(5)).await.unwrap(), 0);
    assert_eq!(stage.store.forget_sessions(NOW, NOW.plus(6)).await.unwrap(), 1);
    assert!(stage.store.logged_in(hash).await.unwrap().is_none());
    stage.stored_session(user.id, NOW).await;
    assert_eq!(stage.store.forget_sessions(end, NOW).await.unwrap(), 1);
}

async fn what_is_changed_is_told_in_the_same_transaction(stage: Stage) {
    let webhook = stage.webhook();
    let told = stage.store.audited(stage.entry(NOW, "webhook.created").after(json!({ "name": "test" })));
    told.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    let log = stage.audit_lines(AuditSearch::default()).await;
    assert_eq!((log.len(), log[0].action.as_str()), (1, "webhook.created"));
    assert_eq!((log[0].after.as_deref(), &log[0].before), (Some(r#"{"name":"test"}"#), &None));
    assert_eq!(log[0].actor, ("system".to_owned(), None, "a test".to_owned()));
    // What is not done is not told.
    let again = stage.store.audited(stage.entry(NOW, "webhook.created"));
    assert!(again.insert_webhook(&webhook, &stage.entropy).await.is_err());
    let stale = stage.store.audited(stage.entry(NOW, "webhook.updated"));
    assert!(!stale.update_webhook(&webhook, 7, crate::store::OpenWork::Keep, &stage.entropy).await.unwrap());
    assert_eq!(stage.audit_lines(AuditSearch::default()).await.len(), 1);
    let deleted = stage.store.audited(stage.entry(NOW, "webhook.deleted"));
    assert!(deleted.delete_webhook(DEFAULT_PROJECT, webhook.id, NOW).await.unwrap());
    assert_eq!(stage.audit_lines(AuditSearch::default()).await.len(), 2);
}

async fn the_audit_log_is_searched_and_paged(stage: Stage) {
    let other = stage.stored_project().await;
    let token = Actor { id: Some("tok_1".to_owned()), ..Actor::system("ci") };
    for n in 0..6_u64 {
        let entry = stage.entry(NOW.plus(n), if n % 2 == 0 { "webhook.updated" } else { "webhook_x.updated" });
        let entry = Entry { actor: if n < 3 { token.clone() } else { entry.actor.clone() }, ..entry };
        stage.store.record(entry).await.unwrap();
    }
    let foreign =
        Entry { project: Some(other), target: Target::new("token", "tok_9"), ..stage.entry(NOW, "token.revoked") };
    stage.store.record(foreign).await.unwrap();
    stage.store.record(Entry { project: None, ..stage.entry(NOW, "user.created") }).await.unwrap();
    let count = async |search| stage.audit_lines(search).await.len();
    let own = || AuditSearch { project: Some(DEFAULT_PROJECT), ..AuditSearch::default() };
    assert_eq!(count(own()).await, 6);
    assert_eq!(count(AuditSearch::default()).await, 8, "of all projects and the server");
    assert_eq!(count(AuditSearch { project: Some(other), ..AuditSearch::default() }).await, 1);
    assert_eq!(count(AuditSearch { action: Some("webhook.".to_owned()), ..own() }).await, 3);
    assert_eq!(count(AuditSearch { action: Some("webhook".to_owned()), ..own() }).await, 0);
    assert_eq!(count(AuditSearch { actor: Some("tok_1".to_owned()), ..own() }).await, 3);
    assert_eq!(count(AuditSearch { target: Some("tok_9".to_owned()), ..own() }).await, 0, "not in this project");
    assert_eq!(count(AuditSearch { target: Some("tok_9".to_owned()), ..AuditSearch::default() }).await, 1);
    assert_eq!(count(AuditSearch { since: Some(NOW.plus(2)), until: Some(NOW.plus(4)), ..own() }).await, 2);
    // Two lines for each page, and no more than three looked at.
    let search = AuditSearch { rows: 3, actor: Some("tok_1".to_owned()), ..own() };
    let (mut cursor, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = stage.store.audit_log(&search, PageRequest { limit: 2, cursor }).await.unwrap();
        seen.extend(page.items.into_iter().map(|entry| entry.id));
        pages += 1;
        cursor = page.next_cursor.as_deref().and_then(Cursor::decode);
        if cursor.is_none() {
            break;
        }
    }
    assert!(pages > 1 && seen.len() == 3 && seen.is_sorted_by(|a, b| a > b), "{seen:?}");
}

#[test]
fn a_hash_of_this_stage_is_nobodys_password() {
    assert!(!password().is_of(&SecretString::from("anything")));
}
