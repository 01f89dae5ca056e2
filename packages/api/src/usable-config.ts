import { resolveEndpoint } from '@reactor/config';
import { type ConfigDocument, type EndpointConfig, ReactorError } from '@reactor/core';

/** Null when the stored configuration is not one this version accepts: what is known besides is shown all the same. */
export function usableConfig(document: ConfigDocument): EndpointConfig | null {
  try {
    return resolveEndpoint(document).config;
  } catch (error) {
    if (error instanceof ReactorError) return null;
    throw error;
  }
}
