import { z } from 'zod';
import { NAME } from './names.js';

export const name = z.string().regex(NAME, 'expected lower-case letters, digits and dashes, 63 at most');
