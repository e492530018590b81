/** OpenPGP as far as simple signing goes: keyrings, and messages with one signature. */
export { mergeKeyrings, parseKeyring, readKeyringFile, type KeyringFile, type PublicKey } from './keyring.ts';
export { parseSignedMessage, type SignedMessage } from './message.ts';
export { openKeyring, openKeyringFiles, verifyMessage, type Keyring, type OpenPgpVerdict } from './verify.ts';
