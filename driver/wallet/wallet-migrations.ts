/**
 * The wallet's schema, one step per version; a step is never changed once released. No table has
 * room for a secret or for a user's certificate (design §4). Amounts and cursors are decimal text,
 * since they may exceed SQLite's signed 64 bits.
 */
export const walletMigrations: readonly string[] = [
  `
create table settings (
  only integer primary key check (only = 1),
  station_url text not null,
  root_certificate blob not null,
  station text,
  user text,
  network text,
  currency text,
  crl blob,
  payments_cursor text not null default '0'
) strict;

create table coins (
  coin_id blob primary key,
  coin blob not null,
  state text not null check (state in ('held', 'signed', 'retiring', 'gone')),
  order_id blob
) strict, without rowid;
create index coins_by_state on coins (state);

create table quotes (
  quote_digest blob primary key,
  quote_id blob not null,
  quote blob not null,
  acceptance blob not null,
  station_certificate blob not null,
  payee_station_certificate blob not null,
  state text not null check (state in ('offered', 'authorised', 'paid', 'refused')),
  detail text,
  payment_id blob,
  changed_ms integer not null
) strict, without rowid;
create index quotes_by_state on quotes (state);

create table payments (
  payment_id blob primary key,
  quote_digest blob not null,
  role text not null check (role in ('payer', 'payee')),
  payment blob not null,
  standing text not null,
  admission blob,
  receipt blob,
  refusal blob,
  stored_ms integer not null
) strict, without rowid;
create index payments_by_time on payments (stored_ms);

create table orders (
  order_id blob primary key,
  kind text not null check (kind in ('buy', 'exchange', 'refund')),
  lines text not null,
  retirement blob,
  state text not null check (state in ('open', 'done', 'refused')),
  detail text,
  loaded integer not null default 0,
  created_ms integer not null
) strict, without rowid;

create table replay_windows (
  payment_id blob not null,
  epoch text not null,
  highest text not null,
  seen text not null,
  primary key (payment_id, epoch)
) strict, without rowid;
`,
  `
create table station_certificates (
  hash blob primary key,
  station text not null,
  role text not null check (role in ('station-coin', 'station-document')),
  certificate blob not null
) strict, without rowid;
`,
];
